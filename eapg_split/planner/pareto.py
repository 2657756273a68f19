"""Plans of which none is better in time, energy and money at once: what the goals choose from."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from eapg_split.planner import charges
from eapg_split.planner.budgets import Budget
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp import Table
from eapg_split.planner.heated import best_path, hot_steps
from eapg_split.planner.labels import Bound, Dimension, Search, path_to, thinned, undominated
from eapg_split.planner.policy import PlanView
from eapg_split.planner.search import Problem
from eapg_split.planner.solve import Solution, goal_weights, plan_of
from eapg_split.planner.walk import Path, walk

MOST_PLANS: Final = 64
MOST_LABELS: Final = 256  # on one node


def front(view: PlanView, *, most: int = MOST_PLANS, labels: int = MOST_LABELS) -> tuple[Solution, ...]:
    """The plans not dominated in (time_s, energy_j, money), the fastest first; every limit of the job is kept.

    Exact while no node has more than `labels` labels; beyond that they are thinned out evenly, and some plans may be
    missing. Of more than `most` plans the fastest, the slowest and an even choice of those between are returned. Heat
    slows every plan as it slows the job's best one. Raises InfeasiblePlan where no plan keeps the limits.
    """
    tables = CostTables.of(view)
    weights = goal_weights(tables)
    best = best_path(tables, weights)
    found = {path: walk(tables, weights, path) for path in (best.path, *_paths(best.problem, labels))}
    kept = [
        path
        for path, walked in found.items()
        if not best.problem.broken(walked) and not hot_steps(tables, path, walked)
    ]
    scores = [found[path].score for path in kept]
    costs = np.array([(score.time_s, score.energy_j, score.money) for score in scores])
    costs = np.round(costs, 9)  # what differs only by rounding is the same
    order = undominated(np.zeros(len(kept), np.intp), costs.T)
    order = order[np.argsort(costs[order, 0], kind="stable")]
    return tuple(
        Solution(plan_of(tables, path), found[path].score, path, best.problem.tables, weights, found[path])
        for path in (kept[number] for number in thinned(order, most).tolist())
    )


def _paths(problem: Problem, labels: int) -> list[Path]:
    """The paths of all labels that remain. Limits besides time, energy and money are counted once one is broken."""
    counted: list[Budget] = []
    while True:
        found = _search(problem, counted, labels).run()
        paths = [path_to(found, number) for number in range(len(found[-1].nodes))]
        broken = {budget for path in paths for budget in problem.broken(problem.walk(path))}
        new = [budget for budget in problem.budgets if budget in broken and budget not in counted]
        if not new:
            return paths
        counted += new


def _search(problem: Problem, counted: Sequence[Budget], labels: int) -> Search:
    tables = problem.tables
    dimensions = [
        Dimension(charges.seconds(tables), clock=True),
        Dimension(charges.energy(tables, waiting=False)),
        Dimension(charges.money(tables)),
        *(Dimension((budget.busy or budget.charge)(), clock=budget.clock) for budget in counted),
    ]
    rows = np.eye(len(dimensions))
    bounds = []
    for row, budget in zip(rows[3:], counted, strict=True):
        row[0] = budget.idle_w
        bounds.append(Bound(row, budget.most, Table.of(budget.charge()).value))
    return Search(tables, dimensions, bounds, rows[0], most=labels)
