"""What the journal says of one job, as values. Moments are of the wall clock, which outlives the process."""

import math
from dataclasses import dataclass
from enum import StrEnum

from eapg_split.errors import LEAVES, EapgError, EngineFailure
from eapg_split.runtime.events import OutputFile


class JobState(StrEnum):
    """Where a job is. The journal knows no difference between the first two, which are this process's affair."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is noted beside a request: who asked, and what a list shows. `label` is the prompt's first words."""

    caller: str
    policy: str
    label: str
    suffix: str
    deadline_s: float = math.inf  # the moment, not a duration


@dataclass(frozen=True, slots=True)
class Ticket:
    """A job as it was accepted. `request` is opaque: whoever runs the job knows how to read it."""

    session: str
    request: bytes
    terms: Terms
    accepted_s: float


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """A whole file in the job's folder with the state before `step`."""

    step: int
    name: str
    size_bytes: int
    checksum: str  # XXH3-128 of the file


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended. `done` is its last event, opaque; `error` the class, the message and the node of what ended it.

    `files` are the output, with the names that they have on the disk.
    """

    state: JobState
    at_s: float
    done: bytes = b""
    error: tuple[str, str, str] = ("", "", "")
    files: tuple[OutputFile, ...] = ()
    step: int = 0
    total_steps: int = 0

    def raised(self, session: str) -> EapgError:
        """The error that ended the job, as it was raised."""
        name, message, node = self.error
        leaf = next((leaf for leaf in LEAVES if leaf.__name__ == name), EngineFailure)
        return leaf(message, node_id=node or None, session_id=session)


@dataclass(frozen=True, slots=True)
class JournalledJob:
    """All that the journal has on a job besides its events."""

    ticket: Ticket
    began_s: float | None  # when its turn came for the first time
    beginnings: int  # since its last checkpoint
    checkpoint: CheckpointFile | None
    ended: Ended | None


@dataclass(frozen=True, slots=True)
class JobSummary:
    """One line of a list. `age_s` is since the job was accepted, `ended_s` since it ended, None while it has not."""

    session: str
    state: JobState
    step: int
    total_steps: int
    age_s: float
    ended_s: float | None
    terms: Terms
