from eapg_split.rpc.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ("brief",)
    BRIEF_FIELD_NUMBER: _ClassVar[int]
    brief: bool
    def __init__(self, brief: _Optional[bool] = ...) -> None: ...

class Neighbour(_message.Message):
    __slots__ = ("node", "bits_per_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    bits_per_s: float
    def __init__(self, node: _Optional[str] = ..., bits_per_s: _Optional[float] = ...) -> None: ...

class NodeDescription(_message.Message):
    __slots__ = ("node", "tier", "version", "protocol", "engine", "fingerprint", "codecs", "memory_bytes", "pid", "rss_bytes", "peak_rss_bytes", "running_sessions", "limits", "costs", "price_per_s", "reaches", "draining", "telemetry")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PEAK_RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    RUNNING_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_S_FIELD_NUMBER: _ClassVar[int]
    REACHES_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    TELEMETRY_FIELD_NUMBER: _ClassVar[int]
    node: str
    tier: str
    version: str
    protocol: int
    engine: str
    fingerprint: str
    codecs: _containers.RepeatedScalarFieldContainer[str]
    memory_bytes: int
    pid: int
    rss_bytes: int
    peak_rss_bytes: int
    running_sessions: int
    limits: Limits
    costs: _containers.RepeatedCompositeFieldContainer[StageCost]
    price_per_s: float
    reaches: _containers.RepeatedCompositeFieldContainer[Neighbour]
    draining: bool
    telemetry: NodeTelemetry
    def __init__(self, node: _Optional[str] = ..., tier: _Optional[str] = ..., version: _Optional[str] = ..., protocol: _Optional[int] = ..., engine: _Optional[str] = ..., fingerprint: _Optional[str] = ..., codecs: _Optional[_Iterable[str]] = ..., memory_bytes: _Optional[int] = ..., pid: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., peak_rss_bytes: _Optional[int] = ..., running_sessions: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., costs: _Optional[_Iterable[_Union[StageCost, _Mapping]]] = ..., price_per_s: _Optional[float] = ..., reaches: _Optional[_Iterable[_Union[Neighbour, _Mapping]]] = ..., draining: _Optional[bool] = ..., telemetry: _Optional[_Union[NodeTelemetry, _Mapping]] = ...) -> None: ...

class StageCost(_message.Message):
    __slots__ = ("stage", "overhead_s", "flops_per_s", "entry_flops_per_s", "load_s", "memory_bytes", "joules_per_s", "uncertain")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    OVERHEAD_S_FIELD_NUMBER: _ClassVar[int]
    FLOPS_PER_S_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FLOPS_PER_S_FIELD_NUMBER: _ClassVar[int]
    LOAD_S_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    JOULES_PER_S_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    stage: str
    overhead_s: float
    flops_per_s: float
    entry_flops_per_s: float
    load_s: float
    memory_bytes: int
    joules_per_s: float
    uncertain: bool
    def __init__(self, stage: _Optional[str] = ..., overhead_s: _Optional[float] = ..., flops_per_s: _Optional[float] = ..., entry_flops_per_s: _Optional[float] = ..., load_s: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., joules_per_s: _Optional[float] = ..., uncertain: _Optional[bool] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("sessions", "payload_bytes", "frame_bytes")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    FRAME_BYTES_FIELD_NUMBER: _ClassVar[int]
    sessions: int
    payload_bytes: int
    frame_bytes: int
    def __init__(self, sessions: _Optional[int] = ..., payload_bytes: _Optional[int] = ..., frame_bytes: _Optional[int] = ...) -> None: ...

class PrepareRequest(_message.Message):
    __slots__ = ("session", "request", "start_step", "stop_step", "fingerprint")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    START_STEP_FIELD_NUMBER: _ClassVar[int]
    STOP_STEP_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    session: str
    request: _common_pb2.GenerationRequest
    start_step: int
    stop_step: int
    fingerprint: str
    def __init__(self, session: _Optional[str] = ..., request: _Optional[_Union[_common_pb2.GenerationRequest, _Mapping]] = ..., start_step: _Optional[int] = ..., stop_step: _Optional[int] = ..., fingerprint: _Optional[str] = ...) -> None: ...

class PrepareReply(_message.Message):
    __slots__ = ("seconds",)
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seconds: float
    def __init__(self, seconds: _Optional[float] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("header", "chunk", "probe", "taken", "recall", "part")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    header: RunHeader
    chunk: bytes
    probe: ProbeHeader
    taken: SpareTaken
    recall: RunRecall
    part: _containers.RepeatedCompositeFieldContainer[_common_pb2.Part]
    def __init__(self, header: _Optional[_Union[RunHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., probe: _Optional[_Union[ProbeHeader, _Mapping]] = ..., taken: _Optional[_Union[SpareTaken, _Mapping]] = ..., recall: _Optional[_Union[RunRecall, _Mapping]] = ..., part: _Optional[_Iterable[_Union[_common_pb2.Part, _Mapping]]] = ...) -> None: ...

class RunOnward(_message.Message):
    __slots__ = ("node", "stop_step", "codec", "quality_db")
    NODE_FIELD_NUMBER: _ClassVar[int]
    STOP_STEP_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    QUALITY_DB_FIELD_NUMBER: _ClassVar[int]
    node: str
    stop_step: int
    codec: str
    quality_db: float
    def __init__(self, node: _Optional[str] = ..., stop_step: _Optional[int] = ..., codec: _Optional[str] = ..., quality_db: _Optional[float] = ...) -> None: ...

class ProbeHeader(_message.Message):
    __slots__ = ("parts", "body_bytes")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    parts: int
    body_bytes: int
    def __init__(self, parts: _Optional[int] = ..., body_bytes: _Optional[int] = ...) -> None: ...

class SpareTaken(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunRecall(_message.Message):
    __slots__ = ("step", "codec", "quality_db", "checksum")
    STEP_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    QUALITY_DB_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    step: int
    codec: str
    quality_db: float
    checksum: bytes
    def __init__(self, step: _Optional[int] = ..., codec: _Optional[str] = ..., quality_db: _Optional[float] = ..., checksum: _Optional[bytes] = ...) -> None: ...

class RunHeader(_message.Message):
    __slots__ = ("session", "attempt", "request", "start_step", "stop_step", "fingerprint", "result_codec", "previews", "remaining_s", "state", "resume", "result_db", "onward", "result_link_bits_per_s", "checkpoints", "checksum")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    START_STEP_FIELD_NUMBER: _ClassVar[int]
    STOP_STEP_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    RESULT_CODEC_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_S_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    RESULT_DB_FIELD_NUMBER: _ClassVar[int]
    ONWARD_FIELD_NUMBER: _ClassVar[int]
    RESULT_LINK_BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    session: str
    attempt: int
    request: _common_pb2.GenerationRequest
    start_step: int
    stop_step: int
    fingerprint: str
    result_codec: str
    previews: bool
    remaining_s: float
    state: _common_pb2.Handoff
    resume: bool
    result_db: float
    onward: _containers.RepeatedCompositeFieldContainer[RunOnward]
    result_link_bits_per_s: float
    checkpoints: str
    checksum: bytes
    def __init__(self, session: _Optional[str] = ..., attempt: _Optional[int] = ..., request: _Optional[_Union[_common_pb2.GenerationRequest, _Mapping]] = ..., start_step: _Optional[int] = ..., stop_step: _Optional[int] = ..., fingerprint: _Optional[str] = ..., result_codec: _Optional[str] = ..., previews: _Optional[bool] = ..., remaining_s: _Optional[float] = ..., state: _Optional[_Union[_common_pb2.Handoff, _Mapping]] = ..., resume: _Optional[bool] = ..., result_db: _Optional[float] = ..., onward: _Optional[_Iterable[_Union[RunOnward, _Mapping]]] = ..., result_link_bits_per_s: _Optional[float] = ..., checkpoints: _Optional[str] = ..., checksum: _Optional[bytes] = ...) -> None: ...

class RunReply(_message.Message):
    __slots__ = ("accepted", "chunk", "step", "preview", "result", "done", "holds", "acks", "failing", "hop", "checkpoint", "alive", "checkpoint_chunk", "part", "checkpoint_part")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    ACKS_FIELD_NUMBER: _ClassVar[int]
    FAILING_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_CHUNK_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_PART_FIELD_NUMBER: _ClassVar[int]
    accepted: RunAccepted
    chunk: bytes
    step: _common_pb2.StepDone
    preview: _common_pb2.PreviewFrame
    result: RunResult
    done: RunDone
    holds: RunHolds
    acks: _common_pb2.Acks
    failing: RunFailing
    hop: _common_pb2.Hop
    checkpoint: RunCheckpoint
    alive: RunAlive
    checkpoint_chunk: bytes
    part: _containers.RepeatedCompositeFieldContainer[_common_pb2.Part]
    checkpoint_part: _containers.RepeatedCompositeFieldContainer[_common_pb2.Part]
    def __init__(self, accepted: _Optional[_Union[RunAccepted, _Mapping]] = ..., chunk: _Optional[bytes] = ..., step: _Optional[_Union[_common_pb2.StepDone, _Mapping]] = ..., preview: _Optional[_Union[_common_pb2.PreviewFrame, _Mapping]] = ..., result: _Optional[_Union[RunResult, _Mapping]] = ..., done: _Optional[_Union[RunDone, _Mapping]] = ..., holds: _Optional[_Union[RunHolds, _Mapping]] = ..., acks: _Optional[_Union[_common_pb2.Acks, _Mapping]] = ..., failing: _Optional[_Union[RunFailing, _Mapping]] = ..., hop: _Optional[_Union[_common_pb2.Hop, _Mapping]] = ..., checkpoint: _Optional[_Union[RunCheckpoint, _Mapping]] = ..., alive: _Optional[_Union[RunAlive, _Mapping]] = ..., checkpoint_chunk: _Optional[bytes] = ..., part: _Optional[_Iterable[_Union[_common_pb2.Part, _Mapping]]] = ..., checkpoint_part: _Optional[_Iterable[_Union[_common_pb2.Part, _Mapping]]] = ...) -> None: ...

class RunAlive(_message.Message):
    __slots__ = ("waits",)
    WAITS_FIELD_NUMBER: _ClassVar[int]
    waits: bool
    def __init__(self, waits: _Optional[bool] = ...) -> None: ...

class RunCheckpoint(_message.Message):
    __slots__ = ("state", "step", "checksum")
    STATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    state: _common_pb2.Handoff
    step: int
    checksum: bytes
    def __init__(self, state: _Optional[_Union[_common_pb2.Handoff, _Mapping]] = ..., step: _Optional[int] = ..., checksum: _Optional[bytes] = ...) -> None: ...

class RunResult(_message.Message):
    __slots__ = ("state", "stop_step", "checksum")
    STATE_FIELD_NUMBER: _ClassVar[int]
    STOP_STEP_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    state: _common_pb2.Handoff
    stop_step: int
    checksum: bytes
    def __init__(self, state: _Optional[_Union[_common_pb2.Handoff, _Mapping]] = ..., stop_step: _Optional[int] = ..., checksum: _Optional[bytes] = ...) -> None: ...

class RunFailing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunHolds(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: int
    def __init__(self, parts: _Optional[int] = ...) -> None: ...

class RunAccepted(_message.Message):
    __slots__ = ("decode_s",)
    DECODE_S_FIELD_NUMBER: _ClassVar[int]
    decode_s: float
    def __init__(self, decode_s: _Optional[float] = ...) -> None: ...

class RunDone(_message.Message):
    __slots__ = ("compute_s", "peak_rss_bytes", "encode_s", "further_peaks")
    class FurtherPeaksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    COMPUTE_S_FIELD_NUMBER: _ClassVar[int]
    PEAK_RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    ENCODE_S_FIELD_NUMBER: _ClassVar[int]
    FURTHER_PEAKS_FIELD_NUMBER: _ClassVar[int]
    compute_s: float
    peak_rss_bytes: int
    encode_s: float
    further_peaks: _containers.ScalarMap[str, int]
    def __init__(self, compute_s: _Optional[float] = ..., peak_rss_bytes: _Optional[int] = ..., encode_s: _Optional[float] = ..., further_peaks: _Optional[_Mapping[str, int]] = ...) -> None: ...

class TelemetryRequest(_message.Message):
    __slots__ = ("interval_s",)
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    interval_s: float
    def __init__(self, interval_s: _Optional[float] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ("value", "modelled")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MODELLED_FIELD_NUMBER: _ClassVar[int]
    value: float
    modelled: bool
    def __init__(self, value: _Optional[float] = ..., modelled: _Optional[bool] = ...) -> None: ...

class NodeTelemetry(_message.Message):
    __slots__ = ("charge", "plugged", "power_w", "temperature_c", "headroom", "clock_ratio", "load", "memory_free_bytes", "queue_s", "sessions", "resident", "links", "draining")
    CHARGE_FIELD_NUMBER: _ClassVar[int]
    PLUGGED_FIELD_NUMBER: _ClassVar[int]
    POWER_W_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_C_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_FIELD_NUMBER: _ClassVar[int]
    CLOCK_RATIO_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    charge: Reading
    plugged: Reading
    power_w: Reading
    temperature_c: Reading
    headroom: Reading
    clock_ratio: Reading
    load: Reading
    memory_free_bytes: Reading
    queue_s: Reading
    sessions: Reading
    resident: _containers.RepeatedScalarFieldContainer[str]
    links: _containers.RepeatedCompositeFieldContainer[LinkSight]
    draining: bool
    def __init__(self, charge: _Optional[_Union[Reading, _Mapping]] = ..., plugged: _Optional[_Union[Reading, _Mapping]] = ..., power_w: _Optional[_Union[Reading, _Mapping]] = ..., temperature_c: _Optional[_Union[Reading, _Mapping]] = ..., headroom: _Optional[_Union[Reading, _Mapping]] = ..., clock_ratio: _Optional[_Union[Reading, _Mapping]] = ..., load: _Optional[_Union[Reading, _Mapping]] = ..., memory_free_bytes: _Optional[_Union[Reading, _Mapping]] = ..., queue_s: _Optional[_Union[Reading, _Mapping]] = ..., sessions: _Optional[_Union[Reading, _Mapping]] = ..., resident: _Optional[_Iterable[str]] = ..., links: _Optional[_Iterable[_Union[LinkSight, _Mapping]]] = ..., draining: _Optional[bool] = ...) -> None: ...

class LinkSight(_message.Message):
    __slots__ = ("source", "target", "bits_per_s", "sigma", "rtt_s", "age_s")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    RTT_S_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    bits_per_s: float
    sigma: float
    rtt_s: float
    age_s: float
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., bits_per_s: _Optional[float] = ..., sigma: _Optional[float] = ..., rtt_s: _Optional[float] = ..., age_s: _Optional[float] = ...) -> None: ...
