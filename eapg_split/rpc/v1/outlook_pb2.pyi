from eapg_split.rpc.v1 import node_pb2 as _node_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OutlookReply(_message.Message):
    __slots__ = ("nodes", "links", "codecs", "entropy_bits", "missing")
    NODES_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeOutlook]
    links: _containers.RepeatedCompositeFieldContainer[LinkOutlook]
    codecs: _containers.RepeatedCompositeFieldContainer[CodecOutlook]
    entropy_bits: _containers.RepeatedScalarFieldContainer[float]
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, nodes: _Optional[_Iterable[_Union[NodeOutlook, _Mapping]]] = ..., links: _Optional[_Iterable[_Union[LinkOutlook, _Mapping]]] = ..., codecs: _Optional[_Iterable[_Union[CodecOutlook, _Mapping]]] = ..., entropy_bits: _Optional[_Iterable[float]] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...

class NodeOutlook(_message.Message):
    __slots__ = ("node", "tier", "engines", "codecs", "memory_bytes", "step_s", "entry_s", "ready_s", "active_w", "idle_w", "price_per_s", "battery_j", "max_entropy_bits", "temperature_c", "charge", "uncertain", "heat", "telemetry", "telemetry_age_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    STEP_S_FIELD_NUMBER: _ClassVar[int]
    ENTRY_S_FIELD_NUMBER: _ClassVar[int]
    READY_S_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_W_FIELD_NUMBER: _ClassVar[int]
    IDLE_W_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_S_FIELD_NUMBER: _ClassVar[int]
    BATTERY_J_FIELD_NUMBER: _ClassVar[int]
    MAX_ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_C_FIELD_NUMBER: _ClassVar[int]
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    HEAT_FIELD_NUMBER: _ClassVar[int]
    TELEMETRY_FIELD_NUMBER: _ClassVar[int]
    TELEMETRY_AGE_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    tier: str
    engines: _containers.RepeatedScalarFieldContainer[str]
    codecs: _containers.RepeatedScalarFieldContainer[str]
    memory_bytes: int
    step_s: _containers.RepeatedScalarFieldContainer[float]
    entry_s: _containers.RepeatedScalarFieldContainer[float]
    ready_s: float
    active_w: float
    idle_w: float
    price_per_s: float
    battery_j: float
    max_entropy_bits: float
    temperature_c: float
    charge: float
    uncertain: bool
    heat: ThermalModel
    telemetry: _node_pb2.NodeTelemetry
    telemetry_age_s: float
    def __init__(self, node: _Optional[str] = ..., tier: _Optional[str] = ..., engines: _Optional[_Iterable[str]] = ..., codecs: _Optional[_Iterable[str]] = ..., memory_bytes: _Optional[int] = ..., step_s: _Optional[_Iterable[float]] = ..., entry_s: _Optional[_Iterable[float]] = ..., ready_s: _Optional[float] = ..., active_w: _Optional[float] = ..., idle_w: _Optional[float] = ..., price_per_s: _Optional[float] = ..., battery_j: _Optional[float] = ..., max_entropy_bits: _Optional[float] = ..., temperature_c: _Optional[float] = ..., charge: _Optional[float] = ..., uncertain: _Optional[bool] = ..., heat: _Optional[_Union[ThermalModel, _Mapping]] = ..., telemetry: _Optional[_Union[_node_pb2.NodeTelemetry, _Mapping]] = ..., telemetry_age_s: _Optional[float] = ...) -> None: ...

class ThermalModel(_message.Message):
    __slots__ = ("air_c", "die_k_per_w", "die_j_per_k", "skin_k_per_w", "skin_j_per_k", "power_exponent", "ratios", "up_c", "hysteresis_c")
    AIR_C_FIELD_NUMBER: _ClassVar[int]
    DIE_K_PER_W_FIELD_NUMBER: _ClassVar[int]
    DIE_J_PER_K_FIELD_NUMBER: _ClassVar[int]
    SKIN_K_PER_W_FIELD_NUMBER: _ClassVar[int]
    SKIN_J_PER_K_FIELD_NUMBER: _ClassVar[int]
    POWER_EXPONENT_FIELD_NUMBER: _ClassVar[int]
    RATIOS_FIELD_NUMBER: _ClassVar[int]
    UP_C_FIELD_NUMBER: _ClassVar[int]
    HYSTERESIS_C_FIELD_NUMBER: _ClassVar[int]
    air_c: float
    die_k_per_w: float
    die_j_per_k: float
    skin_k_per_w: float
    skin_j_per_k: float
    power_exponent: float
    ratios: _containers.RepeatedScalarFieldContainer[float]
    up_c: _containers.RepeatedScalarFieldContainer[float]
    hysteresis_c: float
    def __init__(self, air_c: _Optional[float] = ..., die_k_per_w: _Optional[float] = ..., die_j_per_k: _Optional[float] = ..., skin_k_per_w: _Optional[float] = ..., skin_j_per_k: _Optional[float] = ..., power_exponent: _Optional[float] = ..., ratios: _Optional[_Iterable[float]] = ..., up_c: _Optional[_Iterable[float]] = ..., hysteresis_c: _Optional[float] = ...) -> None: ...

class LinkOutlook(_message.Message):
    __slots__ = ("source", "target", "bits_per_s", "rtt_s", "sigma", "joules_per_byte", "age_s", "relayed")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    RTT_S_FIELD_NUMBER: _ClassVar[int]
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    JOULES_PER_BYTE_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    RELAYED_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    bits_per_s: float
    rtt_s: float
    sigma: float
    joules_per_byte: float
    age_s: float
    relayed: bool
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., bits_per_s: _Optional[float] = ..., rtt_s: _Optional[float] = ..., sigma: _Optional[float] = ..., joules_per_byte: _Optional[float] = ..., age_s: _Optional[float] = ..., relayed: _Optional[bool] = ...) -> None: ...

class CodecOutlook(_message.Message):
    __slots__ = ("name", "bits", "encode_s", "decode_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    ENCODE_S_FIELD_NUMBER: _ClassVar[int]
    DECODE_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    bits: _containers.RepeatedScalarFieldContainer[float]
    encode_s: _containers.RepeatedScalarFieldContainer[float]
    decode_s: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, name: _Optional[str] = ..., bits: _Optional[_Iterable[float]] = ..., encode_s: _Optional[_Iterable[float]] = ..., decode_s: _Optional[_Iterable[float]] = ...) -> None: ...
