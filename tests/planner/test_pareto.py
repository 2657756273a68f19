"""The front against every path there is."""

from dataclasses import replace

import numpy as np
import pytest

from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.pareto import front
from eapg_split.planner.policy import Goal
from eapg_split.planner.solve import solve
from tests.planner.brute import binding, every, within
from tests.planner.instances import limited, view


def points(costs: list[tuple[float, float, float]]) -> list[tuple[float, ...]]:
    """Those that nothing beats, rounded, in order."""
    rounded = sorted({tuple(np.round(cost, 9).tolist()) for cost in costs})
    return [
        p
        for p in rounded
        if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in rounded)
    ]


def test_the_front_is_all_that_nothing_beats() -> None:
    several = 0
    for seed in range(240):
        seen = [view(seed), limited(view(seed), seed), binding(view(seed), seed)][seed % 3]
        kept = [plan for plan in every(seen) if within(seen, plan)]
        if not kept:
            with pytest.raises(InfeasiblePlan):
                front(seen)
            continue
        expected = points([(plan.time_s, plan.energy_j, plan.money) for plan in kept])
        found = [(s.score.time_s, s.score.energy_j, s.score.money) for s in front(seen)]
        assert len(found) == len(expected)
        assert np.allclose(sorted(found), expected, rtol=1e-7, atol=1e-7)
        several += len(found) > 2
    assert several > 40


def test_the_front_is_bounded_and_goes_from_the_fastest_on() -> None:
    seen = next(seen for seen in map(view, range(400)) if every(seen) and len(front(seen)) > 5)
    whole, some = front(seen), front(seen, most=3)
    times = [solution.score.time_s for solution in whole]
    assert times == sorted(times)
    assert len(some) == 3
    assert (some[0], some[-1]) == (whole[0], whole[-1])
    fastest = solve(replace(seen, objective=replace(seen.objective, goal=Goal.LATENCY)))
    assert times[0] == pytest.approx(fastest.score.time_s, rel=1e-4)
