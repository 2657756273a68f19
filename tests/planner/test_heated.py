"""Plans of a device that warms up."""

import itertools
from dataclasses import replace

import pytest

from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.estimates import LinkEstimate, NodeEstimate
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.planner.policy import Goal, Objective, PlanView
from eapg_split.planner.search import Problem
from eapg_split.planner.solve import goal_weights, price, solve
from eapg_split.planner.walk import walk
from tests.planner.instances import view

N0, N1 = NodeId("n0"), NodeId("n1")
STEPS = (1, 4, 4, 1)


def warm(seed: int, *, temperature_c: float = 33.0, remote: float = 1.1, rate: float = 2e7) -> PlanView:
    """A phone at work for minutes, and a node that is about as fast."""
    seen = view(seed, counts=STEPS, nodes=2)
    known = seen.estimates
    assert known is not None
    steps = sum(STEPS)
    nodes = {
        N0: NodeEstimate(
            (12.0,) * steps,
            active_w=6.0,
            idle_w=1.0,
            battery_j=1e5,
            temperature_c=temperature_c,
            heat=ThermalModel(),
        ),
        N1: NodeEstimate((12.0 * remote,) * steps),
    }
    links = {pair: LinkEstimate(rate, 0.02) for pair in ((N0, N1), (N1, N0))}
    plain = tuple(replace(node, memory_bytes=None, codecs=("auto",)) for node in seen.topology.nodes)
    return replace(
        seen,
        topology=replace(seen.topology, nodes=plain),
        objective=Objective(Privacy.ANY, "auto", Goal.LATENCY),
        estimates=replace(known, nodes=nodes, links=links),
    )


def blind(seen: PlanView) -> float:
    """What the plan that knows nothing of heat really takes."""
    tables = CostTables.of(seen)
    weights = goal_weights(tables)
    return walk(tables, weights, Problem(tables, weights).best()).score.objective


def all_walks(seen: PlanView) -> list[float]:
    tables = CostTables.of(seen)
    weights = goal_weights(tables)
    middle = itertools.product(range(2), repeat=tables.steps - 1)
    return [walk(tables, weights, (*path, 0)).score.objective for path in middle]


def test_heat_is_walked_as_the_model_rolls_it() -> None:
    seen = warm(1)
    known = seen.estimates
    assert known is not None
    alone = replace(seen, unavailable=frozenset({N1}))
    steps = sum(STEPS)
    solution = solve(alone)
    assert solution.score.time_s > 12.0 * steps * 1.05, "it slows down"
    assert solution.walked.step_c[-1] > 36.0
    assert solution.walked.step_c == tuple(sorted(solution.walked.step_c))
    cool = replace(known.nodes[N0], heat=None)
    cold = solve(replace(alone, estimates=replace(known, nodes={**known.nodes, N0: cool})))
    assert cold.score.time_s == pytest.approx(12.0 * steps)
    assert cold.walked.step_c == ()


def test_a_warming_device_hands_work_on_that_it_would_have_kept() -> None:
    seen = warm(1)
    solution = solve(seen)
    assert [segment.node for segment in solution.plan.segments] != ["n0"]
    assert solution.score.objective < blind(seen) * 0.95
    assert price(seen, solution.plan) == solution.score


def test_the_fixed_point_is_never_worse_than_blind_and_near_the_exact_optimum() -> None:
    ratios = []
    for seed, (celsius, remote) in enumerate(
        itertools.product((27.0, 33.0, 37.0, 41.0), (0.9, 1.0, 1.15, 1.4))
    ):
        seen = warm(seed, temperature_c=celsius, remote=remote, rate=2e6)
        found = solve(seen).score.objective
        assert found <= blind(seen) + 1e-9
        ratios.append(found / min(all_walks(seen)))
    assert max(ratios) < 1.12
    assert sum(ratios) / len(ratios) < 1.03


def test_a_temperature_limit_is_kept_or_named() -> None:
    seen = warm(1, remote=3.0)
    free = solve(seen)
    hottest = max(free.walked.step_c)
    limit = (hottest + 33.0) / 2
    cooler = replace(seen, objective=replace(seen.objective, max_temperature_c=limit))
    kept = solve(cooler)
    computed = [c for node, c in zip(kept.path, kept.walked.step_c, strict=True) if node == 0]
    assert max(computed) <= limit < hottest
    assert kept.score.objective > free.score.objective
    assert "The device would reach" in price(cooler, free.plan).why
    alone = replace(cooler, unavailable=frozenset({N1}))
    with pytest.raises(InfeasiblePlan, match="No plan keeps the device below"):
        solve(alone)
    hot = warm(1, temperature_c=60.0)
    with pytest.raises(InfeasiblePlan, match="must run there"):
        solve(replace(hot, objective=replace(hot.objective, max_temperature_c=40.0)))


def test_a_deadline_that_heat_breaks_is_not_promised() -> None:
    seen = replace(warm(1), unavailable=frozenset({N1}))
    needs = solve(seen).score.time_s
    late = replace(seen, objective=replace(seen.objective, deadline_s=needs - 1.0))
    with pytest.raises(InfeasiblePlan, match="once the device has warmed up"):
        solve(late)
