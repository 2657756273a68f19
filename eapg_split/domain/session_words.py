"""What a session can be, what can happen to it, and what its driver may have to do: the words of `domain.session`."""

from dataclasses import dataclass
from typing import Final

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError


@dataclass(frozen=True, slots=True)
class Opened:
    """Accepted; `steps` is the number of steps of the workload, of which those before `start_step` are done."""

    steps: int
    start_step: int = 0


@dataclass(frozen=True, slots=True)
class Planning:
    """Waits for a plan that resumes at `start_step` without the nodes in `unavailable`.

    `cause` is the error for which the plan before was given up, None where there was none. `waiting` says that no plan
    was found without the nodes that are full.
    """

    steps: int
    start_step: int = 0
    unavailable: frozenset[NodeId] = frozenset()
    cause: EapgError | None = None
    abandoned: int = 0
    refused: int = 0
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """`plan.segments[index]` is in flight for the `attempt`-th time; a checkpoint lies at its start, or further."""

    steps: int
    plan: Plan
    index: int = 0
    attempt: int = 1
    unavailable: frozenset[NodeId] = frozenset()
    abandoned: int = 0  # hand-offs that were given up for a better plan
    refused: int = 0  # hand-offs that full nodes have put off

    @property
    def segment(self) -> Segment:
        return self.plan.segments[self.index]


@dataclass(frozen=True, slots=True)
class Done:
    """Every step is committed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Given up, with the reason."""

    error: EapgError


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Stopped because somebody asked for it."""


State = Opened | Planning | Running | Done | Failed | Cancelled
FINAL: Final = (Done, Failed, Cancelled)


@dataclass(frozen=True, slots=True)
class Started:
    """The driver is ready."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The policy gave this plan."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class PlanFailed:
    """The policy found no plan."""

    error: EapgError


@dataclass(frozen=True, slots=True)
class SegmentCommitted:
    """A segment's result arrived whole; it is the checkpoint from now on.

    `step` is the stop of a later segment where its node handed the state on by itself, 0 for the segment's own.
    """

    segment: Segment
    attempt: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class SegmentHandedBack:
    """The state before `step` arrived whole and is the checkpoint; what is left is to be planned anew.

    `step` is beyond the segment's start, perhaps in a later one to which its node handed the state on. `unasked` says
    that the node gave it up by itself: then the plans to come do without the node.
    """

    segment: Segment
    attempt: int
    step: int
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class SegmentAbandoned:
    """A hand-off was given up on the way for a better plan; the checkpoint at the segment's start stands."""

    segment: Segment
    attempt: int


@dataclass(frozen=True, slots=True)
class NodeReturned:
    """A node that was left out can be used again, from the next plan on."""

    node: NodeId


@dataclass(frozen=True, slots=True)
class SegmentFailed:
    """A segment was lost, but for the state before `step` where one came home since it began (0: none did).

    `node` is whose fault it is where that is not the segment's own node, as a state may be handed on; `gone` says that
    it does not answer any more, or what makes no sense. `own` says that the device itself failed.
    """

    segment: Segment
    attempt: int
    error: EapgError
    step: int = 0
    node: NodeId | None = None
    gone: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody asked to stop."""


Answer = SegmentCommitted | SegmentHandedBack | SegmentAbandoned | SegmentFailed
Event = Started | Planned | PlanFailed | Answer | NodeReturned | CancelRequested


@dataclass(frozen=True, slots=True)
class MakePlan:
    """Ask the policy for a plan from start_step on; answer with Planned or PlanFailed.

    With `waiting` it may use nodes that said when they will take work again: whoever runs the segment waits for them.
    """

    start_step: int
    unavailable: frozenset[NodeId]
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class RunSegment:
    """Run it from the checkpoint at its start; answer with one of `Answer`.

    Wait a little before a third attempt.
    """

    segment: Segment
    attempt: int


@dataclass(frozen=True, slots=True)
class StopSegment:
    """Cancel what is in flight; needs no answer."""

    segment: Segment


Action = MakePlan | RunSegment | StopSegment
Outcome = tuple[State, tuple[Action, ...]]
