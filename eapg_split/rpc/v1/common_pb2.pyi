from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerationRequest(_message.Message):
    __slots__ = ("prompt", "prompt_withheld", "seconds", "fps", "width", "height", "steps", "seed", "guidance", "privacy")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_WITHHELD_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    PRIVACY_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    prompt_withheld: bool
    seconds: float
    fps: int
    width: int
    height: int
    steps: _containers.RepeatedScalarFieldContainer[int]
    seed: int
    guidance: float
    privacy: str
    def __init__(self, prompt: _Optional[str] = ..., prompt_withheld: _Optional[bool] = ..., seconds: _Optional[float] = ..., fps: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., steps: _Optional[_Iterable[int]] = ..., seed: _Optional[int] = ..., guidance: _Optional[float] = ..., privacy: _Optional[str] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("name", "shape", "dtype")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    dtype: str
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., dtype: _Optional[str] = ...) -> None: ...

class StateTensor(_message.Message):
    __slots__ = ("tensor", "codec", "digest", "input", "before")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    tensor: Tensor
    codec: str
    digest: bytes
    input: str
    before: str
    def __init__(self, tensor: _Optional[_Union[Tensor, _Mapping]] = ..., codec: _Optional[str] = ..., digest: _Optional[bytes] = ..., input: _Optional[str] = ..., before: _Optional[str] = ...) -> None: ...

class Handoff(_message.Message):
    __slots__ = ("id", "tensors")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    id: str
    tensors: _containers.RepeatedCompositeFieldContainer[StateTensor]
    def __init__(self, id: _Optional[str] = ..., tensors: _Optional[_Iterable[_Union[StateTensor, _Mapping]]] = ...) -> None: ...

class PartHeader(_message.Message):
    __slots__ = ("index", "body_bytes", "checksum", "ready_s")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    READY_S_FIELD_NUMBER: _ClassVar[int]
    index: int
    body_bytes: int
    checksum: bytes
    ready_s: float
    def __init__(self, index: _Optional[int] = ..., body_bytes: _Optional[int] = ..., checksum: _Optional[bytes] = ..., ready_s: _Optional[float] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: PartHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[PartHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("index", "arrived_s", "late")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_S_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    index: int
    arrived_s: float
    late: bool
    def __init__(self, index: _Optional[int] = ..., arrived_s: _Optional[float] = ..., late: _Optional[bool] = ...) -> None: ...

class Acks(_message.Message):
    __slots__ = ("acks",)
    ACKS_FIELD_NUMBER: _ClassVar[int]
    acks: _containers.RepeatedCompositeFieldContainer[Ack]
    def __init__(self, acks: _Optional[_Iterable[_Union[Ack, _Mapping]]] = ...) -> None: ...

class StepDone(_message.Message):
    __slots__ = ("node", "tier", "stage", "step", "total_steps", "seconds", "start_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    tier: str
    stage: str
    step: int
    total_steps: int
    seconds: float
    start_s: float
    def __init__(self, node: _Optional[str] = ..., tier: _Optional[str] = ..., stage: _Optional[str] = ..., step: _Optional[int] = ..., total_steps: _Optional[int] = ..., seconds: _Optional[float] = ..., start_s: _Optional[float] = ...) -> None: ...

class Hop(_message.Message):
    __slots__ = ("source", "target", "step", "codec", "raw_bytes", "wire_bytes", "seconds", "start_s", "encode_s", "decode_s", "sent")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    RAW_BYTES_FIELD_NUMBER: _ClassVar[int]
    WIRE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    ENCODE_S_FIELD_NUMBER: _ClassVar[int]
    DECODE_S_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    step: int
    codec: str
    raw_bytes: int
    wire_bytes: int
    seconds: float
    start_s: float
    encode_s: float
    decode_s: float
    sent: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., step: _Optional[int] = ..., codec: _Optional[str] = ..., raw_bytes: _Optional[int] = ..., wire_bytes: _Optional[int] = ..., seconds: _Optional[float] = ..., start_s: _Optional[float] = ..., encode_s: _Optional[float] = ..., decode_s: _Optional[float] = ..., sent: _Optional[_Iterable[str]] = ...) -> None: ...

class PreviewFrame(_message.Message):
    __slots__ = ("stage", "step", "index", "count", "height", "width", "rgb", "first_row")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    RGB_FIELD_NUMBER: _ClassVar[int]
    FIRST_ROW_FIELD_NUMBER: _ClassVar[int]
    stage: str
    step: int
    index: int
    count: int
    height: int
    width: int
    rgb: bytes
    first_row: int
    def __init__(self, stage: _Optional[str] = ..., step: _Optional[int] = ..., index: _Optional[int] = ..., count: _Optional[int] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., rgb: _Optional[bytes] = ..., first_row: _Optional[int] = ...) -> None: ...
