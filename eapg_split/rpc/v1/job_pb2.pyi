from eapg_split.rpc.v1 import common_pb2 as _common_pb2
from eapg_split.rpc.v1 import outlook_pb2 as _outlook_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerateRequest(_message.Message):
    __slots__ = ("request", "policy", "codec", "previews", "suffix", "deadline_s", "peers", "quality_db", "wishes", "checkpoints", "observations")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_DB_FIELD_NUMBER: _ClassVar[int]
    WISHES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    request: _common_pb2.GenerationRequest
    policy: str
    codec: str
    previews: bool
    suffix: str
    deadline_s: float
    peers: _containers.RepeatedCompositeFieldContainer[NodeAddress]
    quality_db: float
    wishes: Wishes
    checkpoints: str
    observations: bool
    def __init__(self, request: _Optional[_Union[_common_pb2.GenerationRequest, _Mapping]] = ..., policy: _Optional[str] = ..., codec: _Optional[str] = ..., previews: _Optional[bool] = ..., suffix: _Optional[str] = ..., deadline_s: _Optional[float] = ..., peers: _Optional[_Iterable[_Union[NodeAddress, _Mapping]]] = ..., quality_db: _Optional[float] = ..., wishes: _Optional[_Union[Wishes, _Mapping]] = ..., checkpoints: _Optional[str] = ..., observations: _Optional[bool] = ...) -> None: ...

class Wishes(_message.Message):
    __slots__ = ("goal", "max_entropy_bits", "max_cuts", "pins", "memory_caps")
    class PinsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MemoryCapsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GOAL_FIELD_NUMBER: _ClassVar[int]
    MAX_ENTROPY_BITS_FIELD_NUMBER: _ClassVar[int]
    MAX_CUTS_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_CAPS_FIELD_NUMBER: _ClassVar[int]
    goal: str
    max_entropy_bits: float
    max_cuts: int
    pins: _containers.ScalarMap[str, str]
    memory_caps: _containers.ScalarMap[str, int]
    def __init__(self, goal: _Optional[str] = ..., max_entropy_bits: _Optional[float] = ..., max_cuts: _Optional[int] = ..., pins: _Optional[_Mapping[str, str]] = ..., memory_caps: _Optional[_Mapping[str, int]] = ...) -> None: ...

class NodeAddress(_message.Message):
    __slots__ = ("name", "address")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class CancelReply(_message.Message):
    __slots__ = ("found",)
    FOUND_FIELD_NUMBER: _ClassVar[int]
    found: bool
    def __init__(self, found: _Optional[bool] = ...) -> None: ...

class Ticket(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("session", "first", "leaving_cancels")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LEAVING_CANCELS_FIELD_NUMBER: _ClassVar[int]
    session: str
    first: int
    leaving_cancels: bool
    def __init__(self, session: _Optional[str] = ..., first: _Optional[int] = ..., leaving_cancels: _Optional[bool] = ...) -> None: ...

class ForgetRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class ForgetReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("ended",)
    ENDED_FIELD_NUMBER: _ClassVar[int]
    ended: bool
    def __init__(self, ended: _Optional[bool] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[JobSummary]
    def __init__(self, jobs: _Optional[_Iterable[_Union[JobSummary, _Mapping]]] = ...) -> None: ...

class JobSummary(_message.Message):
    __slots__ = ("session", "step", "total_steps", "elapsed_s", "state", "policy", "label", "suffix", "ended_s")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_S_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_FIELD_NUMBER: _ClassVar[int]
    ENDED_S_FIELD_NUMBER: _ClassVar[int]
    session: str
    step: int
    total_steps: int
    elapsed_s: float
    state: str
    policy: str
    label: str
    suffix: str
    ended_s: float
    def __init__(self, session: _Optional[str] = ..., step: _Optional[int] = ..., total_steps: _Optional[int] = ..., elapsed_s: _Optional[float] = ..., state: _Optional[str] = ..., policy: _Optional[str] = ..., label: _Optional[str] = ..., suffix: _Optional[str] = ..., ended_s: _Optional[float] = ...) -> None: ...

class JobEvent(_message.Message):
    __slots__ = ("number", "plan", "step", "preview", "hop", "notice", "frame", "file", "chunk", "done", "goodput", "reviewed", "checkpoint", "described", "believed", "probed", "round_trip", "telemetry", "lost", "back")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    GOODPUT_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    DESCRIBED_FIELD_NUMBER: _ClassVar[int]
    BELIEVED_FIELD_NUMBER: _ClassVar[int]
    PROBED_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_FIELD_NUMBER: _ClassVar[int]
    TELEMETRY_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    BACK_FIELD_NUMBER: _ClassVar[int]
    number: int
    plan: PlanMade
    step: _common_pb2.StepDone
    preview: _common_pb2.PreviewFrame
    hop: _common_pb2.Hop
    notice: Notice
    frame: FrameDone
    file: OutputFile
    chunk: bytes
    done: JobDone
    goodput: Goodput
    reviewed: PlanReviewed
    checkpoint: CheckpointKept
    described: NodeDescribed
    believed: LinkBelieved
    probed: LinkProbed
    round_trip: RoundTrip
    telemetry: TelemetryHeard
    lost: NodeLost
    back: NodeBack
    def __init__(self, number: _Optional[int] = ..., plan: _Optional[_Union[PlanMade, _Mapping]] = ..., step: _Optional[_Union[_common_pb2.StepDone, _Mapping]] = ..., preview: _Optional[_Union[_common_pb2.PreviewFrame, _Mapping]] = ..., hop: _Optional[_Union[_common_pb2.Hop, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ..., frame: _Optional[_Union[FrameDone, _Mapping]] = ..., file: _Optional[_Union[OutputFile, _Mapping]] = ..., chunk: _Optional[bytes] = ..., done: _Optional[_Union[JobDone, _Mapping]] = ..., goodput: _Optional[_Union[Goodput, _Mapping]] = ..., reviewed: _Optional[_Union[PlanReviewed, _Mapping]] = ..., checkpoint: _Optional[_Union[CheckpointKept, _Mapping]] = ..., described: _Optional[_Union[NodeDescribed, _Mapping]] = ..., believed: _Optional[_Union[LinkBelieved, _Mapping]] = ..., probed: _Optional[_Union[LinkProbed, _Mapping]] = ..., round_trip: _Optional[_Union[RoundTrip, _Mapping]] = ..., telemetry: _Optional[_Union[TelemetryHeard, _Mapping]] = ..., lost: _Optional[_Union[NodeLost, _Mapping]] = ..., back: _Optional[_Union[NodeBack, _Mapping]] = ...) -> None: ...

class PlanSegment(_message.Message):
    __slots__ = ("node", "tier", "start_step", "stop_step")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    START_STEP_FIELD_NUMBER: _ClassVar[int]
    STOP_STEP_FIELD_NUMBER: _ClassVar[int]
    node: str
    tier: str
    start_step: int
    stop_step: int
    def __init__(self, node: _Optional[str] = ..., tier: _Optional[str] = ..., start_step: _Optional[int] = ..., stop_step: _Optional[int] = ...) -> None: ...

class PlanMade(_message.Message):
    __slots__ = ("session", "policy", "segments", "notes", "total_steps", "revision", "at_s", "reason", "predicted_s")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_S_FIELD_NUMBER: _ClassVar[int]
    session: str
    policy: str
    segments: _containers.RepeatedCompositeFieldContainer[PlanSegment]
    notes: _containers.RepeatedScalarFieldContainer[str]
    total_steps: int
    revision: int
    at_s: float
    reason: str
    predicted_s: float
    def __init__(self, session: _Optional[str] = ..., policy: _Optional[str] = ..., segments: _Optional[_Iterable[_Union[PlanSegment, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., total_steps: _Optional[int] = ..., revision: _Optional[int] = ..., at_s: _Optional[float] = ..., reason: _Optional[str] = ..., predicted_s: _Optional[float] = ...) -> None: ...

class PlanReviewed(_message.Message):
    __slots__ = ("trigger", "node", "occasion", "outcome", "reason", "step", "current_s", "chosen_s", "at_s")
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    OCCASION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CURRENT_S_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_S_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    trigger: str
    node: str
    occasion: str
    outcome: str
    reason: str
    step: int
    current_s: float
    chosen_s: float
    at_s: float
    def __init__(self, trigger: _Optional[str] = ..., node: _Optional[str] = ..., occasion: _Optional[str] = ..., outcome: _Optional[str] = ..., reason: _Optional[str] = ..., step: _Optional[int] = ..., current_s: _Optional[float] = ..., chosen_s: _Optional[float] = ..., at_s: _Optional[float] = ...) -> None: ...

class Goodput(_message.Message):
    __slots__ = ("source", "target", "bytes", "seconds", "at_s")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    bytes: int
    seconds: float
    at_s: float
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., bytes: _Optional[int] = ..., seconds: _Optional[float] = ..., at_s: _Optional[float] = ...) -> None: ...

class CheckpointKept(_message.Message):
    __slots__ = ("node", "step", "codec", "raw_bytes", "wire_bytes", "seconds", "at_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    RAW_BYTES_FIELD_NUMBER: _ClassVar[int]
    WIRE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    step: int
    codec: str
    raw_bytes: int
    wire_bytes: int
    seconds: float
    at_s: float
    def __init__(self, node: _Optional[str] = ..., step: _Optional[int] = ..., codec: _Optional[str] = ..., raw_bytes: _Optional[int] = ..., wire_bytes: _Optional[int] = ..., seconds: _Optional[float] = ..., at_s: _Optional[float] = ...) -> None: ...

class NodeDescribed(_message.Message):
    __slots__ = ("node", "tier", "engine", "memory_bytes", "price_per_s", "stages", "at_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PRICE_PER_S_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    tier: str
    engine: str
    memory_bytes: int
    price_per_s: float
    stages: _containers.RepeatedCompositeFieldContainer[StageSeconds]
    at_s: float
    def __init__(self, node: _Optional[str] = ..., tier: _Optional[str] = ..., engine: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., price_per_s: _Optional[float] = ..., stages: _Optional[_Iterable[_Union[StageSeconds, _Mapping]]] = ..., at_s: _Optional[float] = ...) -> None: ...

class StageSeconds(_message.Message):
    __slots__ = ("stage", "step_s", "entry_s", "load_s", "watts", "uncertain")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_S_FIELD_NUMBER: _ClassVar[int]
    ENTRY_S_FIELD_NUMBER: _ClassVar[int]
    LOAD_S_FIELD_NUMBER: _ClassVar[int]
    WATTS_FIELD_NUMBER: _ClassVar[int]
    UNCERTAIN_FIELD_NUMBER: _ClassVar[int]
    stage: str
    step_s: float
    entry_s: float
    load_s: float
    watts: float
    uncertain: bool
    def __init__(self, stage: _Optional[str] = ..., step_s: _Optional[float] = ..., entry_s: _Optional[float] = ..., load_s: _Optional[float] = ..., watts: _Optional[float] = ..., uncertain: _Optional[bool] = ...) -> None: ...

class LinkBelieved(_message.Message):
    __slots__ = ("source", "target", "bits_per_s", "rtt_s", "sigma", "known", "age_s", "relayed", "at_s")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_S_FIELD_NUMBER: _ClassVar[int]
    RTT_S_FIELD_NUMBER: _ClassVar[int]
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    AGE_S_FIELD_NUMBER: _ClassVar[int]
    RELAYED_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    bits_per_s: float
    rtt_s: float
    sigma: float
    known: bool
    age_s: float
    relayed: bool
    at_s: float
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., bits_per_s: _Optional[float] = ..., rtt_s: _Optional[float] = ..., sigma: _Optional[float] = ..., known: _Optional[bool] = ..., age_s: _Optional[float] = ..., relayed: _Optional[bool] = ..., at_s: _Optional[float] = ...) -> None: ...

class LinkProbed(_message.Message):
    __slots__ = ("source", "target", "bytes", "seconds", "at_s", "broken_off")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    BROKEN_OFF_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    bytes: int
    seconds: float
    at_s: float
    broken_off: bool
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., bytes: _Optional[int] = ..., seconds: _Optional[float] = ..., at_s: _Optional[float] = ..., broken_off: _Optional[bool] = ...) -> None: ...

class RoundTrip(_message.Message):
    __slots__ = ("node", "seconds", "at_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    seconds: float
    at_s: float
    def __init__(self, node: _Optional[str] = ..., seconds: _Optional[float] = ..., at_s: _Optional[float] = ...) -> None: ...

class TelemetryHeard(_message.Message):
    __slots__ = ("node", "readings", "resident", "draining", "at_s")
    class ReadingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NODE_FIELD_NUMBER: _ClassVar[int]
    READINGS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    readings: _containers.ScalarMap[str, float]
    resident: _containers.RepeatedScalarFieldContainer[str]
    draining: bool
    at_s: float
    def __init__(self, node: _Optional[str] = ..., readings: _Optional[_Mapping[str, float]] = ..., resident: _Optional[_Iterable[str]] = ..., draining: _Optional[bool] = ..., at_s: _Optional[float] = ...) -> None: ...

class NodeLost(_message.Message):
    __slots__ = ("node", "reason", "at_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    reason: str
    at_s: float
    def __init__(self, node: _Optional[str] = ..., reason: _Optional[str] = ..., at_s: _Optional[float] = ...) -> None: ...

class NodeBack(_message.Message):
    __slots__ = ("node", "at_s")
    NODE_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    node: str
    at_s: float
    def __init__(self, node: _Optional[str] = ..., at_s: _Optional[float] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class FrameDone(_message.Message):
    __slots__ = ("frame", "total_frames")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FRAMES_FIELD_NUMBER: _ClassVar[int]
    frame: int
    total_frames: int
    def __init__(self, frame: _Optional[int] = ..., total_frames: _Optional[int] = ...) -> None: ...

class OutputFile(_message.Message):
    __slots__ = ("name", "size_bytes", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    size_bytes: int
    sha256: str
    def __init__(self, name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class JobDone(_message.Message):
    __slots__ = ("session", "frames", "width", "height", "fps", "seed", "wall_s", "frames_sha256", "segments", "hops", "peak_rss", "checkpoints", "checkpoint_bytes")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WALL_S_FIELD_NUMBER: _ClassVar[int]
    FRAMES_SHA256_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    PEAK_RSS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_BYTES_FIELD_NUMBER: _ClassVar[int]
    session: str
    frames: int
    width: int
    height: int
    fps: int
    seed: int
    wall_s: float
    frames_sha256: str
    segments: _containers.RepeatedCompositeFieldContainer[PlanSegment]
    hops: _containers.RepeatedCompositeFieldContainer[_common_pb2.Hop]
    peak_rss: _containers.RepeatedCompositeFieldContainer[NodeMemory]
    checkpoints: int
    checkpoint_bytes: int
    def __init__(self, session: _Optional[str] = ..., frames: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., fps: _Optional[int] = ..., seed: _Optional[int] = ..., wall_s: _Optional[float] = ..., frames_sha256: _Optional[str] = ..., segments: _Optional[_Iterable[_Union[PlanSegment, _Mapping]]] = ..., hops: _Optional[_Iterable[_Union[_common_pb2.Hop, _Mapping]]] = ..., peak_rss: _Optional[_Iterable[_Union[NodeMemory, _Mapping]]] = ..., checkpoints: _Optional[int] = ..., checkpoint_bytes: _Optional[int] = ...) -> None: ...

class NodeMemory(_message.Message):
    __slots__ = ("node", "peak_rss_bytes")
    NODE_FIELD_NUMBER: _ClassVar[int]
    PEAK_RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    node: str
    peak_rss_bytes: int
    def __init__(self, node: _Optional[str] = ..., peak_rss_bytes: _Optional[int] = ...) -> None: ...
