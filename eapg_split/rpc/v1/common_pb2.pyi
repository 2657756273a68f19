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

class PayloadHeader(_message.Message):
    __slots__ = ("tensors", "codec", "body_bytes", "checksum")
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    codec: str
    body_bytes: int
    checksum: str
    def __init__(self, tensors: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ..., codec: _Optional[str] = ..., body_bytes: _Optional[int] = ..., checksum: _Optional[str] = ...) -> None: ...

class StepDone(_message.Message):
    __slots__ = ("node", "tier", "stage", "step", "total_steps", "seconds")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    node: str
    tier: str
    stage: str
    step: int
    total_steps: int
    seconds: float
    def __init__(self, node: _Optional[str] = ..., tier: _Optional[str] = ..., stage: _Optional[str] = ..., step: _Optional[int] = ..., total_steps: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class PreviewFrame(_message.Message):
    __slots__ = ("stage", "step", "index", "count", "height", "width", "rgb")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    RGB_FIELD_NUMBER: _ClassVar[int]
    stage: str
    step: int
    index: int
    count: int
    height: int
    width: int
    rgb: bytes
    def __init__(self, stage: _Optional[str] = ..., step: _Optional[int] = ..., index: _Optional[int] = ..., count: _Optional[int] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., rgb: _Optional[bytes] = ...) -> None: ...
