"""What a line of a run log may be: the header, every job event, and how a run that failed ended.

Job events are logged as they are, except for two that carry bulk: of a preview frame a small picture is kept, and
of the output's bytes only their number.
"""

import re
from dataclasses import dataclass, field
from typing import Final, get_args

from eapg_split.cli.run_log.pictures import check_webp
from eapg_split.domain.request import Request
from eapg_split.domain.workload import StageKind
from eapg_split.planner.policy import Goal, Objective
from eapg_split.runtime.events import JobEvent, OutputChunk, PreviewFrame

FORMAT: Final = "eapg-split run log"
VERSION: Final = 1
_ANY: Final = Objective()


@dataclass(frozen=True)
class LoggedStage:
    """Steps `start_step` to `stop_step` (half-open) and the clip's geometry in that stage."""

    name: str
    kind: StageKind
    start_step: int
    stop_step: int
    fps: float
    width: int
    height: int
    frames: int


@dataclass(frozen=True)
class Header:
    """The first line: what was asked for.

    `request.prompt` and `understood` (what the model made of the prompt) are empty unless the person asked for
    them to be logged. `started` is the moment of the start in UTC, as ISO 8601. The last six are what plans were to
    mind; 0 stands for no deadline, and for no limit of the entropy.
    """

    format: str
    version: int
    software: str
    started: str
    request: Request
    understood: str
    policy: str
    codec: str
    quality_db: float
    engine: str
    stages: tuple[LoggedStage, ...]
    goal: Goal = Goal.BALANCED
    deadline_s: float = 0.0
    max_entropy_bits: float = 0.0
    max_cuts: int = _ANY.max_cuts
    pins: dict[str, str] = field(default_factory=dict)
    memory_caps: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PreviewPicture:
    """One frame of a stage's clean estimate. The first, the middle and the last frame have their picture here.

    `width` and `height` are those of the frame; `webp` is a WebP file of at most 256 pixels a side in base64, and
    empty for the other frames. Raises BadValue for anything else.
    """

    stage: str
    step: int
    index: int
    count: int
    width: int
    height: int
    webp: str

    def __post_init__(self) -> None:
        check_webp(self.webp)


@dataclass(frozen=True)
class OutputBytes:
    """So many bytes of the output arrived; they are not in the log."""

    size_bytes: int


@dataclass(frozen=True)
class Failed:
    """The last line of a run that failed: the error's kind and its sentence."""

    error: str
    message: str


# Kinds as they stand in the log, out of the job's own list of events, so that a new event has its kind at once.
_BULKY: Final[dict[type, type]] = {PreviewFrame: PreviewPicture, OutputChunk: OutputBytes}
_RECORDS: Final[tuple[type, ...]] = (*(_BULKY.get(each, each) for each in get_args(JobEvent)), Failed)

LogRecord = JobEvent | PreviewPicture | OutputBytes | Failed


def kind_of(record: type) -> str:
    """A class's name as it stands in the log: StepDone is step_done."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__).lower()


KINDS: Final[dict[str, type]] = {kind_of(each): each for each in _RECORDS}
