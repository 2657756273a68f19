"""The life of one job as a pure function: state and event in, state and actions out.

Whoever drives a session performs the actions and reports what came of them; it decides nothing itself. In
every state that is not final exactly one action is outstanding, so a session cannot get stuck while its
driver reports. An event that does not answer the outstanding action is late and changes nothing.
"""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId
from eapg_split.errors import (
    CapacityExceeded,
    EapgError,
    InfeasiblePlan,
    Retry,
    Unsupported,
)

MAX_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """Accepted, nothing done. `steps` is the number of steps of the workload."""

    steps: int


@dataclass(frozen=True, slots=True)
class Planning:
    """Waits for a plan that resumes at `start_step` without the nodes in `unavailable`.

    `cause` is why the plan before was given up, None for the first one.
    """

    steps: int
    start_step: int = 0
    unavailable: frozenset[NodeId] = frozenset()
    cause: EapgError | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """`plan.segments[index]` is in flight for the `attempt`-th time; the checkpoint lies at its start."""

    steps: int
    plan: Plan
    index: int = 0
    attempt: int = 1
    unavailable: frozenset[NodeId] = frozenset()

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
    """A segment's result arrived whole; it is the checkpoint from now on."""

    segment: Segment
    attempt: int


@dataclass(frozen=True, slots=True)
class SegmentFailed:
    """A segment was lost; nothing of it is kept."""

    segment: Segment
    attempt: int
    error: EapgError


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody asked to stop."""


Event = Started | Planned | PlanFailed | SegmentCommitted | SegmentFailed | CancelRequested


@dataclass(frozen=True, slots=True)
class MakePlan:
    """Ask the policy for a plan from start_step on; answer with Planned or PlanFailed."""

    start_step: int
    unavailable: frozenset[NodeId]


@dataclass(frozen=True, slots=True)
class RunSegment:
    """Run it from the checkpoint at its start; answer with SegmentCommitted or SegmentFailed.

    Wait a little before a second or third attempt.
    """

    segment: Segment
    attempt: int


@dataclass(frozen=True, slots=True)
class StopSegment:
    """Cancel what is in flight; needs no answer."""

    segment: Segment


Action = MakePlan | RunSegment | StopSegment
Outcome = tuple[State, tuple[Action, ...]]


def advance(state: State, event: Event) -> Outcome:
    """The next state, and what its driver must do now. Pure; never raises on an event of these types."""
    match state:
        case Done() | Failed() | Cancelled():
            return state, ()
        case _ if isinstance(event, CancelRequested):
            return Cancelled(), ((StopSegment(state.segment),) if isinstance(state, Running) else ())
        case Opened():
            if isinstance(event, Started):
                return _plan(Planning(state.steps))
        case Planning():
            if isinstance(event, Planned):
                return _start(state, event.plan)
            if isinstance(event, PlanFailed):
                return Failed(_with_cause(event.error, state.cause)), ()
        case Running():
            if isinstance(event, SegmentCommitted | SegmentFailed) and _answers(state, event):
                return _commit(state) if isinstance(event, SegmentCommitted) else _lose(state, event.error)
        case _:
            assert_never(state)
    return state, ()


def _answers(state: Running, event: SegmentCommitted | SegmentFailed) -> bool:
    return (event.segment, event.attempt) == (state.segment, state.attempt)


def _plan(state: Planning) -> Outcome:
    return state, (MakePlan(state.start_step, state.unavailable),)


def _run(state: Running) -> Outcome:
    return state, (RunSegment(state.segment, state.attempt),)


def _start(state: Planning, plan: Plan) -> Outcome:
    used = {segment.node for segment in plan.segments}
    if (plan.start_step, plan.stop_step) != (state.start_step, state.steps) or used & state.unavailable:
        return Failed(InfeasiblePlan("The policy's plan does not cover what is left on available nodes.")), ()
    return _run(Running(state.steps, plan, unavailable=state.unavailable))


def _commit(state: Running) -> Outcome:
    if state.segment.stop_step == state.steps:
        return Done(), ()
    return _run(replace(state, index=state.index + 1, attempt=1))


def _lose(state: Running, error: EapgError) -> Outcome:
    """Try again, or go on without the node, or give up: what the error's `retry` allows."""
    if error.retry is Retry.NEVER:
        return Failed(error), ()
    # a node that lacks something or is full will answer the same again: only others are worth a try
    worth_repeating = not isinstance(error, Unsupported | CapacityExceeded)
    if worth_repeating and state.attempt < MAX_ATTEMPTS:
        return _run(replace(state, attempt=state.attempt + 1))
    without = state.unavailable | {state.segment.node}
    return _plan(Planning(state.steps, state.segment.start_step, without, error))


def _with_cause(error: EapgError, cause: EapgError | None) -> EapgError:
    if cause is None:
        return error
    message = f"{cause.message.rstrip('.')}; and then: {error.message}"
    return type(error)(message, node_id=cause.node_id, session_id=error.session_id or cause.session_id)
