"""What can be done to a job: which fault, when, and to which node, and how the job must end all the same."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eapg_split.errors import CapacityExceeded, EapgError, InfeasiblePlan, OutputFailure


class Fault(StrEnum):
    """What happens to a node or to the link before it. It lasts until the job has ended."""

    SIGKILL = "killed"  # as by the kernel when memory is short
    SIGSTOP = "stopped"  # goes on where it was when the job has ended
    RESTART = "restarted"  # killed, and started again on the same port
    BLACK_HOLE = "black hole"  # bytes vanish both ways, connections stay
    RESET = "reset"  # every connection ends with a TCP RST; new ones are carried
    CORRUPT_1_PERCENT = "1 % corrupt"  # one bit of each hundredth HTTP/2 DATA frame, both ways
    CORRUPT_ALL = "all corrupt"  # one bit of each
    WRONG_SIZES = "wrong answers"  # a node that lies about sizes, shapes, steps, digests, see `rogue`
    OUT_OF_MEMORY = "out of memory"  # less than it has now
    DISK_FULL = "disk full"  # no file may grow


class Phase(StrEnum):
    """When it happens, as seen on the link before the node."""

    DESCRIBE = "describe"  # the node is asked who it is
    RESERVE = "reserve"  # it is asked to prepare for its segment
    UPLOAD_HALF_WAY = "upload"
    BETWEEN_STEPS = "between steps"
    INSIDE_A_STEP = "inside a step"
    DOWNLOAD_HALF_WAY = "download"
    BEFORE_COMMIT = "before commit"  # all of the result has passed but the word that this is all


class Target(StrEnum):
    """The node that it happens to."""

    EDGE = "edge"
    CLOUD = "cloud"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the matrix."""

    fault: Fault
    phase: Phase
    target: Target

    def __str__(self) -> str:
        return f"{self.target} {self.fault}, {self.phase}"

    @property
    def may_end_in(self) -> tuple[type[EapgError], ...]:
        """The errors with which the job may end instead of its frames.

        The device is alone in decoding and writing: without memory or room there perhaps nothing feasible is left.
        """
        if self.target is Target.DEVICE and self.fault is not Fault.RESTART:
            return (CapacityExceeded, InfeasiblePlan, OutputFailure)
        return ()


REMOTES: Final = (Target.EDGE, Target.CLOUD)
_OF_THE_DEVICE: Final = (Fault.RESTART, Fault.DISK_FULL, Fault.OUT_OF_MEMORY)
"""Its links are those of the others, and while it is stopped or gone for good no job of it can end."""


def cells() -> tuple[Cell, ...]:
    """The whole matrix. The device drives the job, so it is struck at the phases of its dealings with the edge."""
    remotes = [Cell(fault, phase, target) for target in REMOTES for fault in Fault for phase in Phase]
    device = [Cell(fault, phase, Target.DEVICE) for fault in _OF_THE_DEVICE for phase in Phase]
    return (*remotes, *device)
