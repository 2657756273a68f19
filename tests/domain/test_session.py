"""The session under any faults: it ends, it loses at most the segment in flight, and late news change nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.session import MAX_ABANDONED, MAX_ATTEMPTS, MAX_REFUSED, advance
from eapg_split.domain.session_words import (
    FINAL,
    Action,
    Answer,
    Cancelled,
    CancelRequested,
    Done,
    Event,
    Failed,
    MakePlan,
    NodeReturned,
    Opened,
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
    LEAVES,
    CapacityExceeded,
    EapgError,
    EngineFailure,
    InfeasiblePlan,
    NodeUnavailable,
    Retry,
)

STEPS = 6
REMOTES = (NodeId("e"), NodeId("c"))
RETRIABLE = tuple(leaf for leaf in LEAVES if leaf.retry is not Retry.NEVER)


def make_plan(action: MakePlan) -> Event:
    """Steps 3 and 4 go to the first remote that is left; without any, to the device, which may be gone too."""
    if "d" in action.unavailable:
        return PlanFailed(InfeasiblePlan("There is no device."))
    remote = next((node for node in REMOTES if node not in action.unavailable), NodeId("d"))
    wish = [NodeId("d")] * 3 + [remote] * 2 + [NodeId("d")]
    segments: list[Segment] = []
    for step in range(action.start_step, STEPS):
        if segments and segments[-1].node == wish[step]:
            segments[-1] = Segment(wish[step], segments[-1].start_step, step + 1)
        else:
            segments.append(Segment(wish[step], step, step + 1))
    cuts = tuple(Cut(segment.start_step, "lossless") for segment in segments[1:])
    return Planned(Plan(tuple(segments), cuts))


Fate = EapgError | SegmentCommitted | SegmentHandedBack | SegmentAbandoned | None


class Driver:
    """Performs actions, with `fate(action)` deciding what comes of each, and keeps the books."""

    def __init__(self, fate: Callable[[RunSegment], Fate]) -> None:
        self.fate = fate
        self.committed = 0
        self.runs: list[RunSegment] = []
        self.plans = 0
        self.plan = Plan((Segment(NodeId("d"), 0, STEPS),))

    def starts_after(self, segment: Segment) -> list[int]:
        """Where a state may arrive that was handed on: before later segments, and at the end."""
        return [each.start_step for each in self.plan.segments if each.start_step >= segment.stop_step] + [
            STEPS
        ]

    def answer(self, action: Action) -> Event:
        match action:
            case MakePlan():
                assert action.start_step == self.committed, "a plan resumes at the last commit"
                self.plans += 1
                planned = make_plan(action)
                self.plan = planned.plan if isinstance(planned, Planned) else self.plan
                return planned
            case RunSegment(segment, attempt):
                assert segment.start_step == self.committed, "nothing that is committed runs again"
                self.runs.append(action)
                fate = self.fate(action)
                if isinstance(fate, EapgError):
                    return SegmentFailed(segment, attempt, fate)
                if isinstance(fate, SegmentHandedBack) and segment.start_step < fate.step <= STEPS:
                    self.committed = fate.step
                if isinstance(fate, SegmentCommitted) and fate.step in self.starts_after(segment):
                    self.committed = fate.step
                if fate is not None:
                    return fate
                self.committed = segment.stop_step
                return SegmentCommitted(segment, attempt)
            case StopSegment():
                raise AssertionError("nobody asked for it")

    def drive(self) -> State:
        state, actions = advance(Opened(STEPS), Started())
        for _ in range(200):
            if isinstance(state, FINAL):
                assert actions == ()
                return state
            assert len(actions) == 1, "exactly one action is outstanding"
            state, actions = advance(state, self.answer(actions[0]))
        raise AssertionError("the session does not end")


def test_without_faults() -> None:
    driver = Driver(lambda action: None)
    assert driver.drive() == Done()
    assert [(r.segment.node, r.attempt) for r in driver.runs] == [("d", 1), ("e", 1), ("d", 1)]
    assert driver.plans == 1


@given(st.data())
def test_any_faults_come_to_an_end(data: st.DataObject) -> None:
    kinds = st.none() | st.sampled_from(LEAVES)

    def fault(action: RunSegment) -> EapgError | None:
        leaf = data.draw(kinds)
        return leaf("It broke.") if leaf else None

    driver = Driver(fault)
    state = driver.drive()
    assert isinstance(state, Done | Failed)
    assert isinstance(state, Done) == (driver.committed == STEPS)
    assert len(driver.runs) <= 3 * MAX_ATTEMPTS * 3


@given(st.data())
def test_whatever_comes_of_segments_there_is_an_end(data: st.DataObject) -> None:
    """Faults, hand-backs at any step, legal or not, and hand-offs that are given up."""

    def fate(action: RunSegment) -> Fate:
        segment, attempt = action.segment, action.attempt
        match data.draw(st.sampled_from(["commit", "fail", "hand back", "abandon", "hand on"])):
            case "fail":
                return data.draw(st.sampled_from(LEAVES))("It broke.")
            case "hand back":
                step = data.draw(st.integers(-1, STEPS + 1))
                return SegmentHandedBack(segment, attempt, step, data.draw(st.booleans()))
            case "abandon":
                return SegmentAbandoned(segment, attempt)
            case "hand on":
                return SegmentCommitted(segment, attempt, data.draw(st.integers(1, STEPS + 1)))
        return None

    driver = Driver(fate)
    state = driver.drive()
    assert isinstance(state, Done | Failed)
    assert isinstance(state, Done) == (driver.committed == STEPS)


@given(st.data())
def test_what_can_be_retried_never_ends_a_job_while_the_device_lives(data: st.DataObject) -> None:
    def fault(action: RunSegment) -> EapgError | None:
        if action.segment.node == "d" or data.draw(st.booleans()):
            return None
        return data.draw(st.sampled_from(RETRIABLE))("It broke.")

    assert Driver(fault).drive() == Done()


def test_a_dead_node_costs_its_segment_and_no_more() -> None:
    driver = Driver(lambda action: NodeUnavailable("gone") if action.segment.node == "e" else None)
    assert driver.drive() == Done()
    ran = [(r.segment.node, r.segment.start_step, r.attempt) for r in driver.runs]
    assert ran == [("d", 0, 1), ("e", 3, 1), ("e", 3, 2), ("e", 3, 3), ("c", 3, 1), ("d", 5, 1)]


def test_a_full_node_is_left_at_once() -> None:
    driver = Driver(lambda action: CapacityExceeded("full") if action.segment.node == "e" else None)
    assert driver.drive() == Done()
    assert [r.segment.node for r in driver.runs] == ["d", "e", "c", "d"]


def test_a_full_node_that_says_when_is_asked_again_but_not_for_ever() -> None:
    def fate(action: RunSegment) -> Fate:
        return CapacityExceeded("full", retry_after_s=1.0) if action.segment.node == "e" else None

    driver = Driver(fate)
    assert driver.drive() == Done()
    assert [r.segment.node for r in driver.runs] == ["d", *["e"] * (MAX_REFUSED + 1), "c", "d"]


def test_a_job_waits_for_full_nodes_where_there_is_no_other_plan() -> None:
    state = running()
    refusal = CapacityExceeded("full", retry_after_s=1.0)
    planning, (action,) = advance(state, SegmentFailed(state.segment, 1, refusal))
    assert action == MakePlan(0, frozenset())
    none = PlanFailed(InfeasiblePlan("none without it"))
    waiting, (action,) = advance(planning, none)
    assert action == MakePlan(0, frozenset(), waiting=True)
    assert advance(waiting, Planned(state.plan))[1] == (RunSegment(state.segment, 1),)
    assert isinstance(advance(waiting, none)[0], Failed)


def test_what_a_further_node_refuses_is_not_laid_at_the_first_ones_door() -> None:
    state = running()
    refusal = CapacityExceeded("full", node_id="c", retry_after_s=1.0)
    after, actions = advance(state, SegmentFailed(state.segment, 1, refusal))
    assert actions == (RunSegment(state.segment, 2),)
    assert isinstance(after, Running)
    assert not after.unavailable


def test_a_hand_back_at_every_step_costs_a_plan_each_and_no_step() -> None:
    driver = Driver(lambda a: SegmentHandedBack(a.segment, a.attempt, a.segment.start_step + 1))
    assert driver.drive() == Done()
    assert [run.segment.start_step for run in driver.runs] == list(range(STEPS))
    assert driver.plans == STEPS


def test_a_state_that_was_handed_on_skips_the_segments_between() -> None:
    def fate(action: RunSegment) -> Fate:
        return SegmentCommitted(action.segment, 1, 5) if action.segment.stop_step < 5 else None

    driver = Driver(fate)
    assert driver.drive() == Done()
    assert [(run.segment.node, run.segment.start_step) for run in driver.runs] == [("d", 0), ("d", 5)]


def test_a_node_that_gives_back_by_itself_is_left_out() -> None:
    def fate(action: RunSegment) -> Fate:
        if action.segment.node != "e":
            return None
        return SegmentHandedBack(action.segment, action.attempt, action.segment.start_step + 1, unasked=True)

    driver = Driver(fate)
    assert driver.drive() == Done()
    ran = [(run.segment.node, run.segment.start_step) for run in driver.runs]
    assert ran == [("d", 0), ("e", 3), ("c", 4), ("d", 5)]


def test_hand_offs_are_not_given_up_for_ever() -> None:
    def fate(action: RunSegment) -> Fate:
        return SegmentAbandoned(action.segment, action.attempt) if action.segment.node == "e" else None

    driver = Driver(fate)
    assert driver.drive() == Done()
    nodes = [run.segment.node for run in driver.runs]
    assert nodes == ["d", *["e"] * (MAX_ABANDONED + 1), "c", "d"]
    assert driver.committed == STEPS


@pytest.mark.parametrize("state", [Planning(STEPS, unavailable=frozenset(REMOTES)), Opened(STEPS), Done()])
def test_a_node_that_comes_back_can_be_used_again(state: State) -> None:
    after, actions = advance(state, NodeReturned(REMOTES[0]))
    assert actions == ()
    if isinstance(state, Planning):
        assert after == Planning(STEPS, unavailable=frozenset(REMOTES[1:]))
    else:
        assert after == state
    left = Running(STEPS, running().plan, unavailable=frozenset(REMOTES))
    assert advance(left, NodeReturned(REMOTES[1]))[0] == Running(
        STEPS, left.plan, unavailable=frozenset(REMOTES[:1])
    )


def test_what_the_device_cannot_do_ends_the_job() -> None:
    error, state = EngineFailure("broken"), running()
    assert advance(state, SegmentFailed(state.segment, 1, error, own=True)) == (Failed(error), ())


def test_what_another_node_says_of_itself_is_true_of_that_node_only() -> None:
    driver = Driver(lambda action: EngineFailure("broken") if action.segment.node == "e" else None)
    assert driver.drive() == Done()
    assert [(run.segment.node, run.attempt) for run in driver.runs] == [
        ("d", 1),
        ("e", 1),
        ("c", 1),
        ("d", 1),
    ]


def remote() -> Running:
    """Steps 3 and 4 are on their way at "e"."""
    return replace(running(), index=1)


def test_what_came_home_is_not_computed_again() -> None:
    """With the node where it answers, without it where it is gone."""
    state, error = remote(), NodeUnavailable("The link is down.")
    for step, gone, planned in (
        (0, True, MakePlan(3, frozenset({NodeId("e")}))),
        (4, True, MakePlan(4, frozenset({NodeId("e")}))),
        (4, False, MakePlan(4, frozenset())),
    ):
        failed = SegmentFailed(state.segment, 1, error, step=step, gone=gone)
        assert advance(state, failed)[1] == (planned,)
    for step in (0, 3):  # nothing new
        assert advance(state, SegmentFailed(state.segment, 1, error, step=step))[1] == (
            RunSegment(state.segment, 2),
        )


def test_a_further_node_that_is_gone_is_left_out_and_not_the_one_that_handed_on() -> None:
    state = remote()
    failed = SegmentFailed(state.segment, 1, NodeUnavailable("gone"), step=5, node=NodeId("c"), gone=True)
    assert advance(state, failed)[1] == (MakePlan(5, frozenset({NodeId("c")})),)


def test_the_reason_is_told_when_no_plan_is_left() -> None:
    driver = Driver(lambda action: NodeUnavailable("The device is gone.", node_id="d"))
    state = driver.drive()
    assert isinstance(state, Failed)
    assert isinstance(state.error, InfeasiblePlan)
    assert str(state.error) == "The device is gone; and then: There is no device."


def running() -> Running:
    plan = make_plan(MakePlan(0, frozenset()))
    assert isinstance(plan, Planned)
    return Running(STEPS, plan.plan)


def test_late_news_change_nothing() -> None:
    state = running()
    other = Segment(NodeId("e"), 3, 5)
    answers: tuple[Answer, ...] = (
        SegmentHandedBack(state.segment, 2, 1),
        SegmentHandedBack(other, 1, 4),
        SegmentAbandoned(other, 1),
        SegmentAbandoned(state.segment, 2),
    )
    for event in (
        *answers,
        Started(),
        Planned(state.plan),
        PlanFailed(InfeasiblePlan("none")),
        SegmentCommitted(state.segment, 2),
        SegmentCommitted(other, 1),
        SegmentFailed(state.segment, 2, NodeUnavailable("gone")),
    ):
        assert advance(state, event) == (state, ())
    planning = Planning(STEPS)
    assert advance(planning, SegmentCommitted(state.segment, 1)) == (planning, ())
    assert advance(Opened(STEPS), Planned(state.plan)) == (Opened(STEPS), ())


@pytest.mark.parametrize("state", [Opened(STEPS), Planning(STEPS), running()])
def test_cancel_works_in_every_state(state: State) -> None:
    after, actions = advance(state, CancelRequested())
    assert after == Cancelled()
    assert actions == ((StopSegment(state.segment),) if isinstance(state, Running) else ())


@pytest.mark.parametrize("state", [Done(), Cancelled(), Failed(EngineFailure("x"))])
def test_the_end_is_the_end(state: State) -> None:
    for event in (Started(), CancelRequested(), SegmentCommitted(Segment(NodeId("d"), 0, 1), 1)):
        assert advance(state, event) == (state, ())


def test_a_plan_that_skips_steps_or_uses_lost_nodes_is_not_run() -> None:
    short = Plan((Segment(NodeId("d"), 0, 5),))
    assert isinstance(advance(Planning(STEPS), Planned(short))[0], Failed)
    whole = Plan((Segment(NodeId("d"), 0, STEPS),))
    lost = Planning(STEPS, unavailable=frozenset({NodeId("d")}))
    assert isinstance(advance(lost, Planned(whole))[0], Failed)
