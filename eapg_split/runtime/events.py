"""What happens in a job, as values: the same ones travel inside the device's daemon and reach the person's program."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.latent import ITEM_BYTES
from eapg_split.runtime.handoff import Declaration, Encoding
from eapg_split.runtime.observed import Observed


@dataclass(frozen=True)
class PlacedSegment:
    """Steps [start_step, stop_step) on one node."""

    node: str
    tier: str
    start_step: int
    stop_step: int


@dataclass(frozen=True)
class PlanMade:
    """The plan, once at the start (revision 0) and again after each re-plan.

    `notes` say why it is not the ideal, `reason` why it was made; `predicted_s` is how long what it covers should
    take, 0 where nobody knows.
    """

    session: str
    policy: str
    segments: tuple[PlacedSegment, ...]
    notes: tuple[str, ...]
    total_steps: int
    revision: int = 0
    at_s: float = 0.0  # since the job began
    reason: str = ""
    predicted_s: float = 0.0


@dataclass(frozen=True)
class PlanReviewed:
    """The policy looked again at what is left from `step` on. Looks after a step that change nothing are not told.

    `trigger` and `occasion` say what made it look (and which node did), `outcome` is "keep" or "replace" and `reason`
    why. `current_s` and `chosen_s` are the seconds that the plan before and the one after should take from there on, 0
    where nobody knows.
    """

    trigger: str
    node: str
    occasion: str
    outcome: str
    reason: str
    step: int
    current_s: float = 0.0
    chosen_s: float = 0.0
    at_s: float = 0.0  # since the job began


@dataclass(frozen=True)
class StepDone:
    """One step was finished; `step` counts from 0 over the workload.

    `start_s` is since the job began, as the device sees it: a node that computes leaves it 0.
    """

    node: str
    tier: str
    stage: str
    step: int
    total_steps: int
    seconds: float
    start_s: float = 0.0


@dataclass(frozen=True)
class PreviewFrame:
    """One frame of a stage's clean estimate: uint8 (height, width, 3); `index` of `count`."""

    stage: str
    step: int
    index: int
    count: int
    frame: NDArray[np.uint8] = field(compare=False)


@dataclass(frozen=True)
class Hop:
    """A latent went from one node to another at the boundary before `step`.

    `sent` names the tensors that travelled, of which `raw_bytes` (decoded) and `wire_bytes` (coded) are; the receiver
    knew the others. `encode_s` and `decode_s` are processor time on the two ends, within `seconds` or ahead of them.
    """

    source: str
    target: str
    step: int
    codec: str
    raw_bytes: int
    wire_bytes: int
    seconds: float
    start_s: float = 0.0  # since the job began
    encode_s: float = 0.0
    decode_s: float = 0.0
    sent: tuple[str, ...] = ()

    @property
    def bits_per_element(self) -> float:
        """On the wire, for each number that travelled; 0 where none did."""
        return 8 * self.wire_bytes * ITEM_BYTES / self.raw_bytes if self.raw_bytes else 0.0


@dataclass(frozen=True)
class Goodput:
    """`bytes` of parts came from `source` to `target` within `seconds`, without a pause of the sender.

    `at_s`: when the last of them arrived, since the job began.
    """

    source: str
    target: str
    bytes: int
    seconds: float
    at_s: float


@dataclass(frozen=True)
class CheckpointKept:
    """The state before `step` came home from `node` while it went on: if it is lost, the job goes on from there.

    `raw_bytes` (decoded) and `wire_bytes` (coded) are of the tensors that travelled for it, within `seconds`.
    """

    node: str
    step: int
    codec: str
    raw_bytes: int
    wire_bytes: int
    seconds: float
    at_s: float = 0.0  # since the job began


@dataclass(frozen=True)
class Notice:
    """One sentence that a person should see although the job goes on."""

    text: str


@dataclass(frozen=True)
class FrameDone:
    """`frame` frames of `total_frames` were decoded and encoded."""

    frame: int
    total_frames: int


@dataclass(frozen=True)
class OutputFile:
    """The next file of the output, before its bytes; `name` is empty where the output is a single file.

    `sha256` is over its bytes. A file that was announced before is sent anew, from its first byte.
    """

    name: str
    size_bytes: int
    sha256: str = ""


@dataclass(frozen=True)
class OutputChunk:
    """The next bytes of the file that was announced last."""

    data: bytes = field(repr=False)


@dataclass(frozen=True)
class JobDone:
    """The record of a job that succeeded; `frames_sha256` is over the raw RGB frames in order."""

    session: str
    frames: int
    width: int
    height: int
    fps: int
    seed: int
    wall_s: float
    frames_sha256: str
    segments: tuple[PlacedSegment, ...]
    hops: tuple[Hop, ...]
    peak_rss_bytes: dict[str, int]
    checkpoints: int = 0  # that came home besides
    checkpoint_bytes: int = 0  # on the wire


@dataclass(frozen=True)
class Accepted:
    """The hand-off was committed by the node that will run the segment; `decode_s` is its processor time."""

    decode_s: float = 0.0


@dataclass(frozen=True)
class Acknowledged:
    """So many more coded bytes of the hand-off have arrived."""

    bytes: int


@dataclass(frozen=True)
class Returning:
    """The segment is computed and its result is about to arrive."""


@dataclass(frozen=True)
class Passage:
    """Parts passed the link without a pause: towards the node where `outbound`, else back.

    The last of them arrived at `moment_s` of the loop's clock.
    """

    outbound: bool
    bytes: int
    seconds: float
    moment_s: float


@dataclass(frozen=True)
class CheckpointCame:
    """The state before `step` has come whole while its segment goes on; tensors that did not travel are only named.

    `encodings` has those that did, `seconds` is from its announcement to its last part.
    """

    step: int
    declaration: Declaration
    encodings: Mapping[str, Encoding]
    seconds: float


SegmentEvent = Accepted | Acknowledged | Returning | Passage | StepDone | PreviewFrame | Hop | CheckpointCame
JobEvent = (
    PlanMade
    | PlanReviewed
    | StepDone
    | PreviewFrame
    | Hop
    | Goodput
    | CheckpointKept
    | Notice
    | FrameDone
    | OutputFile
    | OutputChunk
    | JobDone
    | Observed
)
