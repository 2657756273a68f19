"""What if links were others: more bandwidth never hurts, and plans of any policy are explained under one price."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner import POLICIES
from eapg_split.planner.explain import explain, explain_plan
from eapg_split.planner.policy import Goal, PlanView
from eapg_split.planner.pyramid import PyramidPolicy
from eapg_split.planner.solve import appraise, price, solve
from eapg_split.planner.sweep import at_rate, changes, rates, sweep
from tests.planner.instances import view as random_view
from tests.planner.situations import CLOUD, DEVICE, EDGE, FAST, STEPS, situation

COMPUTES = {DEVICE: 2.0, EDGE: 1.0, CLOUD: 0.5}


def best(view: PlanView) -> Plan:
    return solve(view).plan


def test_rates_go_from_a_tenth_to_a_thousand_megabits_in_equal_factors() -> None:
    found = rates()
    assert found[0] == pytest.approx(1e5)
    assert found[-1] == pytest.approx(1e9)
    factors = [later / earlier for earlier, later in pairwise(found)]
    assert max(factors) == pytest.approx(min(factors))
    assert max(factors) < 1.07


def test_only_links_of_the_device_get_the_rate_and_it_is_certain() -> None:
    view = situation(COMPUTES, transfer_s=2.0, rtt_s=0.5)
    assert view.estimates is not None
    unsure = {ends: replace(link, sigma=0.7) for ends, link in view.estimates.links.items()}
    view = replace(view, estimates=replace(view.estimates, links=unsure))
    found = at_rate(view, 1e6).estimates
    assert found is not None
    for ends, link in found.links.items():
        if DEVICE in ends:
            assert (link.bits_per_s, link.sigma, link.rtt_s) == (1e6, 0.0, 0.5)
        else:
            assert link == unsure[ends]


def test_a_link_through_the_device_carries_the_state_twice() -> None:
    relayed = frozenset({(EDGE, CLOUD)})
    found = at_rate(situation(COMPUTES), 1e6, relayed).estimates
    assert found is not None
    assert found.links[EDGE, CLOUD].bits_per_s == 5e5
    assert found.links[CLOUD, EDGE].bits_per_s == 8e6


def test_without_estimates_there_is_nothing_to_change() -> None:
    view = replace(situation(COMPUTES), estimates=None)
    assert at_rate(view, 1e6) is view


@pytest.mark.parametrize("seed", range(12))
def test_more_bandwidth_is_never_slower(seed: int) -> None:
    view = random_view(seed)
    view = replace(view, objective=replace(view.objective, goal=Goal.LATENCY))
    times = []
    for point in sweep(view, best, rates()[::8]):
        if point.score is not None:
            times.append(point.score.time_s)
    assert times or seed, "some instances have no plan, not all"
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(times))


@pytest.mark.parametrize(
    "name", ["dp-adaptive", "neurosurgeon", "greedy", "mincut", "pyramid", "device-only"]
)
def test_no_policy_beats_the_optimum_anywhere(name: str) -> None:
    view = situation(COMPUTES)
    made = sweep(view, lambda each: POLICIES[name]().plan(each), rates()[::16])
    exact = sweep(view, best, rates()[::16])
    for point, least in zip(made, exact, strict=True):
        assert point.score is not None
        assert least.score is not None
        assert point.score.objective >= least.score.objective - 1e-9


def test_the_plan_changes_between_two_points() -> None:
    """All stays on the device until a transfer of 8 Mbit there and back is worth the seconds it saves."""
    view = situation({DEVICE: 2.0, CLOUD: 0.5})
    points = sweep(view, best, rates())
    (mark,) = changes(points)
    below = [each for each in points if each.bits_per_s < mark]
    above = [each for each in points if each.bits_per_s > mark]
    assert all(each.plan is not None and len(each.plan.segments) == 1 for each in below)
    assert all(each.plan is not None and len(each.plan.segments) == 3 for each in above)
    saved_s = 3 * (2.0 - 0.5)  # stages 3 and 4, after what sees the text
    assert mark == pytest.approx(2 * 8e6 / saved_s, rel=0.06)


def test_where_no_plan_keeps_the_limits_there_is_a_reason_and_no_plan() -> None:
    objective = replace(FAST, deadline_s=14.0)
    points = sweep(situation({DEVICE: 2.0, CLOUD: 0.5}, objective=objective), best, rates())
    assert points[0].plan is None
    assert "deadline" in points[0].why
    assert points[-1].plan is not None
    assert len(changes(points)) == 1


def test_a_plan_of_any_policy_is_explained_beside_the_best() -> None:
    view = situation(COMPUTES)
    plan = PyramidPolicy().plan(view)
    found = explain_plan(view, plan)
    optimum = solve(view)
    assert not found.exact
    assert found.binding == ""
    assert found.score == price(view, plan)
    assert found.runner_up is not None
    assert found.runner_up.plan == optimum.plan
    assert found.runner_up.behind == pytest.approx(optimum.score.objective / found.score.objective - 1)
    assert found.runner_up.behind < 0
    spent = sum(term.move_s + term.wait_s + term.compute_s for term in found.terms)
    assert spent == pytest.approx(found.score.time_s)


def test_the_best_plan_is_explained_alike_whoever_made_it() -> None:
    view = situation(COMPUTES)
    solution = solve(view)
    assert explain_plan(view, solution.plan) == explain(view, solution)


def test_a_plan_that_breaks_a_limit_is_explained_too() -> None:
    view = situation(COMPUTES, objective=replace(FAST, deadline_s=5.0))
    found = explain_plan(view, Plan((Segment(DEVICE, 0, STEPS),)))
    assert not found.exact
    assert not found.score.feasible
    assert "deadline" in found.score.why
    assert sum(term.compute_s for term in found.terms) == pytest.approx(2.0 * STEPS)


def test_a_plan_over_a_link_that_is_not_there_has_no_terms() -> None:
    view = situation({DEVICE: 2.0, CLOUD: 0.5})
    assert view.estimates is not None
    view = replace(view, estimates=replace(view.estimates, links={}))
    away = Plan(
        (Segment(DEVICE, 0, 5), Segment(CLOUD, 5, 7), Segment(DEVICE, 7, STEPS)),
        (Cut(5, "lossless"), Cut(7, "lossless")),
    )
    with pytest.raises(InfeasiblePlan):
        appraise(view, away)
    assert price(view, away).time_s == math.inf
