"""The best path where the device's heat is modelled: it slows the steps down, and may not go beyond a limit.

How fast a step is depends on the path before it, which a sum cannot express. So the plan and its heat are brought to
agree: the best path for the speeds believed, its heat along the way, the speeds that follow, and again, until the same
path comes out or three passes are over; the best of the paths that were walked through wins. Steps at which the device
would be too hot are closed to it, and the search begins anew.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.search import Problem
from eapg_split.planner.walk import Path, Walk, walk
from eapg_split.planner.warmth import Warmth
from eapg_split.planner.weights import Weights

_PASSES: Final = 3


@dataclass(frozen=True, eq=False)
class Found:
    """A path, the walk through it with heat, and the tables under which it is the best."""

    path: Path
    walked: Walk
    problem: Problem


def best_path(tables: CostTables, weights: Weights) -> Found:
    """The best path within all limits. Raises InfeasiblePlan that names the one that must give way."""
    problem = Problem(tables, weights)
    path = problem.best()
    if Warmth.of(tables) is None:
        return Found(path, problem.walk(path), problem)
    found = Found(path, walk(tables, weights, path), problem)
    closing = 1
    while True:
        found = _agreed(found)
        hot = hot_steps(tables, found.path, found.walked)
        if not hot:
            return found
        cooler = _cooler(found, hot, closing)
        problem = Problem(cooler, weights)
        path = problem.best()
        found = Found(path, walk(cooler, weights, path), problem)
        closing *= 2


def _agreed(first: Found) -> Found:
    """The best path among those that come out while plan and heat are brought to agree."""
    tried, found = [first], first
    for _ in range(_PASSES - 1):
        slower = replace(found.problem.tables, slowdown=np.array(found.walked.slowdown))
        problem = Problem(slower, found.problem.weights)
        try:
            path = problem.best()
        except InfeasiblePlan:
            break
        if any(path == each.path for each in tried):
            break
        found = Found(path, walk(slower, problem.weights, path), problem)
        tried.append(found)
    kept = [each for each in tried if not each.problem.broken(each.walked)]
    if not kept:
        names = " and ".join(budget.name for budget in first.problem.broken(first.walked))
        raise InfeasiblePlan(
            f"No plan was found that keeps {names} once the device has warmed up: give way there."
        )
    return min(kept, key=lambda each: each.walked.score.objective)


def hot_steps(tables: CostTables, path: Path, walked: Walk) -> list[int]:
    """The steps, by their numbers in the tables, that the device computes and ends hotter than the job allows."""
    most = tables.view.objective.max_temperature_c
    steps = enumerate(zip(path, walked.step_c, strict=False))
    return [step for step, (node, celsius) in steps if node == tables.device and celsius > most]


def _cooler(found: Found, hot: list[int], closing: int) -> CostTables:
    """Tables that close to the device what made it too hot: the hot steps, or else the last ones before them."""
    tables = found.problem.tables
    movable = tables.open_steps.sum(axis=1) > 1
    closed = [step for step in hot if movable[step]]
    if not closed:
        before = [step for step in range(hot[0]) if found.path[step] == tables.device and movable[step]]
        closed = before[-closing:]
    if not closed:
        celsius, step = found.walked.step_c[hot[0]], tables.view.start_step + hot[0]
        raise InfeasiblePlan(
            f"No plan keeps the device below {tables.view.objective.max_temperature_c:.0f} C: step {step} must run "
            f"there and ends at {celsius:.1f} C. Wait until it has cooled, or allow more."
        )
    allowed = tables.open_steps.copy()
    allowed[closed, tables.device] = False
    return replace(tables, open_steps=allowed)
