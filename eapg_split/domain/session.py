"""The life of one job as a pure function: state and event in, state and actions out.

Whoever drives a session performs the actions and reports what came of them; it decides nothing itself. In
every state that is not final exactly one action is outstanding, so a session cannot get stuck while its
driver reports. An event that does not answer the outstanding action is late and changes nothing.
"""

from dataclasses import replace
from typing import Final, assert_never

from eapg_split.domain.plan import Plan
from eapg_split.domain.session_words import (
    Answer,
    Cancelled,
    CancelRequested,
    Done,
    Event,
    Failed,
    MakePlan,
    NodeReturned,
    Opened,
    Outcome,
    PlanFailed,
    Planned,
    Planning,
    Running,
    RunSegment,
    SegmentAbandoned,
    SegmentCommitted,
    SegmentFailed,
    SegmentHandedBack,
    Started,
    State,
    StopSegment,
)
from eapg_split.domain.topology import NodeId
from eapg_split.errors import (
    AccessDenied,
    CapacityExceeded,
    CorruptPayload,
    EapgError,
    InfeasiblePlan,
    NodeUnavailable,
    Retry,
    Unauthenticated,
    Unsupported,
)

MAX_ATTEMPTS: Final = 3
MAX_ABANDONED: Final = 8  # hand-offs of a job; whoever is given up after that is left out of it
MAX_REFUSED: Final = (
    32  # times that a job comes back to full nodes; whoever is full after that is left out of it
)
_FIRM: Final = (Unsupported, CapacityExceeded, AccessDenied, Unauthenticated)


def advance(state: State, event: Event) -> Outcome:
    """The next state, and what its driver must do now. Pure; never raises on an event of these types."""
    match state:
        case Done() | Failed() | Cancelled():
            return state, ()
        case _ if isinstance(event, CancelRequested):
            return Cancelled(), ((StopSegment(state.segment),) if isinstance(state, Running) else ())
        case Planning() | Running() if isinstance(event, NodeReturned):
            return replace(state, unavailable=state.unavailable - {event.node}), ()
        case Opened():
            if isinstance(event, Started):
                return _plan(Planning(state.steps, state.start_step))
        case Planning():
            if isinstance(event, Planned):
                return _start(state, event.plan)
            if isinstance(event, PlanFailed) and state.refused and not state.waiting:
                return _plan(replace(state, waiting=True))
            if isinstance(event, PlanFailed):
                return Failed(_with_cause(event.error, state.cause)), ()
        case Running():
            if isinstance(event, Answer) and (event.segment, event.attempt) == (state.segment, state.attempt):
                return _answered(state, event)
        case _:
            assert_never(state)
    return state, ()


def _answered(state: Running, event: Answer) -> Outcome:
    match event:
        case SegmentCommitted(step=step):
            return _commit(state, step or state.segment.stop_step)
        case SegmentHandedBack():
            return _resume(state, event)
        case SegmentAbandoned():
            return _abandon(state)
        case SegmentFailed():
            return _fail(state, event)
        case _:
            assert_never(event)


def _plan(state: Planning) -> Outcome:
    return state, (MakePlan(state.start_step, state.unavailable, state.waiting),)


def _run(state: Running) -> Outcome:
    return state, (RunSegment(state.segment, state.attempt),)


def _start(state: Planning, plan: Plan) -> Outcome:
    used = {segment.node for segment in plan.segments}
    if (plan.start_step, plan.stop_step) != (state.start_step, state.steps) or used & state.unavailable:
        return Failed(InfeasiblePlan("The policy's plan does not cover what is left on available nodes.")), ()
    return _run(
        Running(
            state.steps,
            plan,
            unavailable=state.unavailable,
            abandoned=state.abandoned,
            refused=state.refused,
        )
    )


def _commit(state: Running, step: int) -> Outcome:
    if step == state.steps:
        return Done(), ()
    for index, segment in enumerate(state.plan.segments):
        if index > state.index and segment.start_step == step:
            return _run(replace(state, index=index, attempt=1))
    return _lose(state, _stray())


def _resume(state: Running, event: SegmentHandedBack) -> Outcome:
    """Plan what is left. Every hand-back is at least one step further, so there is an end of them."""
    if not state.segment.start_step < event.step <= state.steps:
        return _lose(state, _stray())
    if event.step == state.steps:
        return Done(), ()
    left = {state.plan.segment_at(event.step - 1).node} if event.unasked else set()
    without = state.unavailable | left
    return _plan(Planning(state.steps, event.step, without, abandoned=state.abandoned, refused=state.refused))


def _stray() -> EapgError:
    return CorruptPayload("A state came back that is not of the segment: send it again.")


def _abandon(state: Running) -> Outcome:
    """Plan the segment anew; not for ever, as nothing is gained by it."""
    if state.abandoned == MAX_ABANDONED:
        node = state.segment.node
        error = NodeUnavailable(f"Hand-offs to {node} were given up too often.", node_id=node)
        return _without(replace(_planning(state), cause=error), node)
    return _plan(replace(_planning(state), abandoned=state.abandoned + 1))


def _fail(state: Running, event: SegmentFailed) -> Outcome:
    """Go on from the newest state: with the node where that makes sense, else without it.

    What the device itself cannot do, nobody can; what another node says of itself is true of that node only.
    """
    error, segment = event.error, state.segment
    if event.own and error.retry is Retry.NEVER:
        return Failed(error), ()
    is_further = segment.start_step < event.step < state.steps
    left = replace(_planning(state), start_step=event.step if is_further else segment.start_step, cause=error)
    node = event.node or segment.node
    if event.gone or error.retry is Retry.NEVER:
        return _without(left, node)
    if _is_put_off(state, error):
        return _plan(replace(left, refused=state.refused + 1))
    if isinstance(error, _FIRM) and error.node_id in (None, segment.node):
        return _without(left, node)  # it will answer the same again: only others are worth a try
    if is_further:  # at least one step, so there is an end of it
        return _plan(left)
    return _lose(state, error)


def _lose(state: Running, error: EapgError) -> Outcome:
    """Try again, or at last go on without the node."""
    if state.attempt < MAX_ATTEMPTS:
        return _run(replace(state, attempt=state.attempt + 1))
    return _without(replace(_planning(state), cause=error), state.segment.node)


def _without(left: Planning, node: NodeId) -> Outcome:
    return _plan(replace(left, unavailable=left.unavailable | {node}))


def _is_put_off(state: Running, error: EapgError) -> bool:
    """Whether the segment's node is full and said when it will take work again."""
    if not isinstance(error, CapacityExceeded) or error.retry_after_s is None:
        return False
    return error.node_id in (None, state.segment.node) and state.refused < MAX_REFUSED


def _planning(state: Running) -> Planning:
    """What is left is to be planned anew from the checkpoint before the segment."""
    return Planning(
        state.steps,
        state.segment.start_step,
        state.unavailable,
        abandoned=state.abandoned,
        refused=state.refused,
    )


def _with_cause(error: EapgError, cause: EapgError | None) -> EapgError:
    if cause is None:
        return error
    message = f"{cause.message.rstrip('.')}; and then: {error.message}"
    return type(error)(message, node_id=cause.node_id, session_id=error.session_id or cause.session_id)
