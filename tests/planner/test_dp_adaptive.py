"""When a running job moves, and when it does not."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.dp_adaptive import HYSTERESIS, DpAdaptivePolicy
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import Occasion, PlanView, Transfer, Trigger
from eapg_split.planner.random_valid import RandomValidPolicy
from eapg_split.planner.solve import price, solve
from eapg_split.testing.views import random_view
from tests.planner.situations import CLOUD, DEVICE, EDGE, FAST, STEPS, later, runs, situation, with_rate

STEP = Occasion(Trigger.STEP, "a step was finished")
STALL = Occasion(Trigger.STALL, "nothing moves")
ALONE = Plan(segments=DpAdaptivePolicy().plan(situation({DEVICE: 1.0})).segments)


def after_four_steps(edge_s: float, transfer_s: float = 0.5) -> PlanView:
    """Four steps of 1 s are left on the device, three of which may run at the edge."""
    return situation({DEVICE: 1.0, EDGE: edge_s}, transfer_s=transfer_s, start_step=4)


# staying takes 4 s; moving three steps takes 2 transfers of 0.5 s, three steps at the edge, and the decode
@pytest.mark.parametrize(
    ("edge_s", "moves"), [(0.54, False), (0.53, True), (0.3, True), (0.6, False), (0.8, False)]
)
def test_a_switch_must_save_a_tenth(edge_s: float, moves: bool) -> None:
    revision = DpAdaptivePolicy().revise(after_four_steps(edge_s), ALONE, STEP)
    assert (revision.plan is not None) is moves
    assert ("saves" in revision.reason) is moves
    if revision.plan is not None:
        assert runs(revision.plan) == [("e", 4, 7), ("d", 7, 8)]
        assert revision.plan.cuts[0].step == 4


def test_under_fixed_estimates_its_own_plan_is_never_replaced() -> None:
    for seed in range(150):
        view = replace(random_view(seed), start_step=0, at=None, unavailable=frozenset(), now_s=0.0)
        policy = DpAdaptivePolicy()
        try:
            plan = policy.plan(view)
        except InfeasiblePlan:
            continue
        if any(node.ready_s for node in view.estimates.nodes.values()):  # type: ignore[union-attr]
            continue  # a queue that does not shrink is no fixed estimate
        for step in range(1, view.workload.steps):
            holder = plan.segment_at(step - 1).node
            revision = policy.revise(later(view, step, holder), plan, STEP)
            assert revision.plan is None, f"view {seed}, step {step}: {revision.reason}"


@given(seed=st.integers(0, 5000), shuffle=st.integers(0, 50))
def test_switches_are_bounded_and_each_saves_a_tenth(seed: int, shuffle: int) -> None:
    """From any legal plan: the next one is a tenth better and is then kept, so that there is no flapping."""
    view = random_view(seed)
    try:
        least = solve(view).score.objective
        current = RandomValidPolicy(shuffle).plan(view)
    except InfeasiblePlan:
        return
    before = price(view, current)
    revision = DpAdaptivePolicy().revise(view, current, STEP)
    if revision.plan is None:
        assert before.objective * (1 - HYSTERESIS) <= least * (1 + 1e-9), (
            "staying costs at most 1.11 times the best"
        )
        return
    after = price(view, revision.plan)
    assert after.feasible
    assert not before.feasible or after.objective < (1 - HYSTERESIS) * before.objective
    assert DpAdaptivePolicy().revise(view, revision.plan, STEP).plan is None


def test_a_plan_that_lost_its_node_is_replaced_whatever_it_saves() -> None:
    view = situation({DEVICE: 10.0, EDGE: 0.1, CLOUD: 0.1}, transfer_s=0.1)
    policy = DpAdaptivePolicy()
    plan = policy.plan(view)
    used = plan.segments[1].node
    revision = policy.revise(later(view, 4, DEVICE, unavailable=frozenset({used})), plan, STEP)
    assert revision.plan is not None
    assert used not in {part.node for part in revision.plan.segments}
    assert str(used) in revision.reason


def test_a_plan_that_breaks_a_limit_is_replaced_whatever_it_saves() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.55}, transfer_s=0.5, start_step=4)
    # staying takes 4 s and moving 3.65 s, which is no tenth less; but only moving keeps the deadline
    in_time = replace(view, objective=replace(FAST, deadline_s=3.8))
    assert DpAdaptivePolicy().revise(view, ALONE, STEP).plan is None
    revision = DpAdaptivePolicy().revise(in_time, ALONE, STEP)
    assert revision.plan is not None
    assert DpStaticPolicy().revise(in_time, ALONE, STEP).plan == revision.plan


def test_a_deadline_that_no_plan_keeps_ends_no_running_job() -> None:
    late = replace(after_four_steps(0.55), objective=replace(FAST, deadline_s=0.5))
    for policy in (DpAdaptivePolicy(), DpStaticPolicy()):
        revision = policy.revise(late, ALONE, STEP)
        assert revision.plan is None or policy.revise(late, revision.plan, STEP).plan is None
        lost = later(late, 4, DEVICE, unavailable=frozenset({EDGE}))
        plan = policy.plan(lost)
        assert runs(plan) == [("d", 4, 8)]
        assert "deadline" in plan.notes[-1]
    with pytest.raises(InfeasiblePlan):
        DpAdaptivePolicy().plan(replace(late, start_step=0))


def flight(remaining_mb: float, stalled_s: float, at_step: int = 4) -> PlanView:
    """The state before step 4 goes from the device to the edge; 4 s of work are left on the device alone."""
    view = situation({DEVICE: 1.0, EDGE: 0.1}, transfer_s=0.2, start_step=at_step, at=DEVICE, now_s=20.0)
    return replace(view, in_flight=Transfer(DEVICE, EDGE, int(remaining_mb * 1e6), stalled_s))


SENT = DpAdaptivePolicy().plan(situation({DEVICE: 1.0, EDGE: 0.1}, transfer_s=0.2))


@pytest.mark.parametrize(("stalled_s", "gives_up"), [(0.0, False), (1.9, False), (2.1, True), (30.0, True)])
def test_a_transfer_that_stands_still_is_given_up_after_two_seconds(stalled_s: float, gives_up: bool) -> None:
    """The alternative takes 4 s, half of which is the patience."""
    revision = DpAdaptivePolicy().revise(flight(0.9, stalled_s), SENT, STALL)
    assert (revision.plan is not None) is gives_up
    if revision.plan is not None:
        assert runs(revision.plan) == [("d", 4, 8)]
        assert "Nothing has moved" in revision.reason


@pytest.mark.parametrize(("stalled_s", "gives_up"), [(2.5, False), (19.0, False), (20.5, True)])
def test_patience_is_half_of_what_the_alternative_takes(stalled_s: float, gives_up: bool) -> None:
    view = situation({DEVICE: 10.0, EDGE: 0.1}, transfer_s=0.2, start_step=4, at=DEVICE)
    view = replace(view, in_flight=Transfer(DEVICE, EDGE, 900_000, stalled_s))
    revision = DpAdaptivePolicy().revise(view, SENT, STALL)
    assert (revision.plan is not None) is gives_up


def test_what_is_left_to_send_counts_and_what_was_sent_does_not() -> None:
    """At a hundredth of its rate a transfer takes 20 s; with 5 % left it is still worth finishing."""
    for remaining_mb, gives_up in ((0.9, True), (0.05, False)):
        slow = with_rate(flight(remaining_mb, 0.0), DEVICE, EDGE, 0.01)
        revision = DpAdaptivePolicy().revise(slow, SENT, STALL)
        assert (revision.plan is not None) is gives_up, revision.reason


def test_a_deadline_that_is_lost_anyway_keeps_nobody_waiting_for_a_dead_link() -> None:
    view = flight(0.9, 30.0)
    late = replace(view, objective=replace(FAST, deadline_s=1.0))
    revision = DpAdaptivePolicy().revise(late, SENT, STALL)
    assert revision.plan is not None
    assert runs(revision.plan) == [("d", 4, 8)]


def test_where_there_is_no_other_way_a_stalled_transfer_goes_on() -> None:
    view = replace(situation({DEVICE: 1.0, EDGE: 0.1}, start_step=7, at=EDGE), now_s=9.0)
    assert view.estimates is not None
    home = replace(view, in_flight=Transfer(EDGE, DEVICE, 500_000, 60.0))
    current = Plan(SENT.segments, SENT.cuts)
    assert DpAdaptivePolicy().revise(home, current, STALL).plan is None


def test_a_link_that_stalled_is_left_alone_for_a_while_and_longer_each_time() -> None:
    policy = DpAdaptivePolicy()
    policy.plan(situation({DEVICE: 1.0, EDGE: 0.1}, transfer_s=0.2))
    first = policy.revise(flight(0.9, 3.0), SENT, STALL)
    assert first.plan is not None
    again = situation({DEVICE: 1.0, EDGE: 0.1}, transfer_s=0.2, start_step=5, at=DEVICE)

    def goes_back(now_s: float) -> bool:
        return policy.revise(replace(again, now_s=now_s), first.plan or SENT, STEP).plan is not None

    assert not goes_back(21.0)
    assert not goes_back(29.9)
    assert goes_back(30.1)
    second = replace(flight(0.9, 3.0, at_step=5), now_s=31.0)
    assert policy.revise(second, SENT, STALL).plan is not None
    assert not goes_back(50.0)
    assert goes_back(51.5)
    policy.plan(situation({DEVICE: 1.0, EDGE: 0.1}, transfer_s=0.2))
    assert goes_back(22.0), "a new job starts anew"


def test_a_revision_starts_at_the_next_boundary_never_within_a_step() -> None:
    view = situation({DEVICE: 5.0, EDGE: 0.1, CLOUD: 0.1}, transfer_s=0.1)
    for step in range(4, STEPS):
        for trigger in Trigger:
            revision = DpAdaptivePolicy().revise(later(view, step, DEVICE), ALONE, Occasion(trigger, "why"))
            assert revision.plan is None or revision.plan.start_step == step
            assert revision.reason


def test_the_static_policy_stays_while_it_can() -> None:
    view = situation({DEVICE: 10.0, EDGE: 0.1}, transfer_s=0.1, start_step=4)
    assert DpStaticPolicy().revise(view, ALONE, STEP).plan is None
    assert DpAdaptivePolicy().revise(view, ALONE, STEP).plan is not None
    lost = replace(view, unavailable=frozenset({EDGE}))
    plan = DpStaticPolicy().revise(lost, SENT, STEP).plan
    assert plan is not None
    assert runs(plan) == [("d", 4, 8)]


def test_the_bound_on_switches_holds_for_the_figures_in_the_documents() -> None:
    assert pytest.approx(1.11, abs=0.005) == 1 / (1 - HYSTERESIS)
    assert math.log(1 / (1 - HYSTERESIS)) > 0.1


def test_the_rest_of_a_plan_enters_where_the_state_is() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.1})
    assert [cut.step for cut in rest_of(later(view, 5, EDGE), SENT).cuts] == [7]
    assert [cut.step for cut in rest_of(later(view, 5, DEVICE), SENT).cuts] == [5, 7]
