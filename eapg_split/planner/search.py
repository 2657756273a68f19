"""From tables to the best path: a backward pass first, and labels only for what that path breaks or waits for.

The path of the backward pass is the best without limits and waiting. If it keeps all limits and waits nowhere, it is
the best with them, too. If not, labels count what it broke, and the search goes on until nothing new breaks: each path
on the way is the best under fewer limits, so the first one that keeps all is the best under all.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from eapg_split.errors import InfeasiblePlan
from eapg_split.planner import charges
from eapg_split.planner.budgets import Budget, budgets_of
from eapg_split.planner.cost import CostTables
from eapg_split.planner.counted import Counted, Priced
from eapg_split.planner.dp import Table
from eapg_split.planner.infeasible import why_broken, why_closed
from eapg_split.planner.labels import MANY, Bound, Search
from eapg_split.planner.walk import Path, Walk, walk
from eapg_split.planner.weights import Weights

_PRICES: Final = 12  # of the limits that are tried
_LARGE: Final = (
    300  # steps times nodes, from which on it pays to search twice, the first time with few labels
)
_FEW: Final = 12


@dataclass(frozen=True, eq=False)
class Problem:
    """Tables with the weights of a goal; everything that several searches share is made once."""

    tables: CostTables
    weights: Weights
    limited: bool = True  # False leaves all limits out, and keeps the rules about who may compute what
    _walks: dict[Path, Walk] = field(default_factory=dict, repr=False)

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        return budgets_of(self.tables) if self.limited else ()

    @cached_property
    def relaxed(self) -> Table:
        """The objective without limits and waiting. Raises InfeasiblePlan where nothing legal leads to the end."""
        table = Table.of(charges.objective(self.tables, self.weights))
        if not np.isfinite(table.value[0, self.tables.holder]):
            raise InfeasiblePlan(why_closed(self.tables))
        return table

    def walk(self, path: Path) -> Walk:
        """Without heat, but for the slowdown that is in the tables."""
        if path not in self._walks:
            self._walks[path] = walk(self.tables, self.weights, path, heat=False)
        return self._walks[path]

    def broken(self, walked: Walk) -> tuple[Budget, ...]:
        """The limits that a path does not keep."""
        return tuple(budget for budget in self.budgets if not budget.kept(walked))

    def best(self) -> Path:
        """The best path within all limits. Raises InfeasiblePlan that names the one that must give way."""
        path, counted = self._within(self.relaxed.path(self.tables.holder))
        if path is None:
            raise InfeasiblePlan(why_broken(self.tables, self.budgets, counted))
        return path

    def runner_up(self, best: Path) -> Path | None:
        """The best path within all limits that differs from the best one in at least one node; None for none."""
        path = self.relaxed.second_best(self.tables.holder, best)
        return None if path is None else self._within(path, avoid=best)[0]

    def _within(self, path: Path, avoid: Path | None = None) -> tuple[Path | None, tuple[Budget, ...]]:
        """From the best path without limits and waiting to the best one with them, and the limits that it took."""
        counted: tuple[Budget, ...] = ()
        waits = False
        while True:
            walked = self.walk(path)
            new = tuple(budget for budget in self.broken(walked) if budget not in counted)
            if not new and (waits or not walked.wait_s):
                return path, counted
            counted, waits = counted + new, waits or walked.wait_s > 0
            better = _Counting(self, Counted.of(self.tables, self.weights, counted, waits=waits), avoid).best(
                path
            )
            if better is None:
                return None, counted
            path = better


class _Counting:
    """One search with labels. A good path, found first, and a price on the limits keep the labels few."""

    def __init__(self, problem: Problem, counted: Counted, avoid: Path | None) -> None:
        self._problem, self._counted, self._avoid = problem, counted, avoid
        self._upper = math.inf

    def best(self, path: Path) -> Path | None:
        """The best path that keeps what is counted; `path` is a good one that need not."""
        problem, counted = self._problem, self._counted
        if counted.hopeless:
            return None
        self._consider(path)
        priced = self._priced(problem.walk(path)) if counted.budgets else None
        if self._upper == math.inf or not counted.budgets:
            self._consider(self._search(priced, greedy=True).best())
        if counted.budgets and problem.tables.step_s.size > _LARGE:
            self._consider(self._search(priced, most=_FEW).best())
        return self._search(priced).best()

    def _search(self, priced: Priced | None, *, greedy: bool = False, most: int = MANY) -> Search:
        """A search that cuts short what cannot end better than what is known."""
        counted, bounds = self._counted, list(self._counted.bounds)
        if self._upper < math.inf:
            bounds.append(Bound(counted.objective, self._upper, self._problem.relaxed.value))
            if priced is not None:
                bounds.append(priced.bound(self._upper))
        tables, dimensions, objective = self._problem.tables, counted.dimensions, counted.objective
        return Search(tables, dimensions, bounds, objective, greedy=greedy, avoid=self._avoid, most=most)

    def _consider(self, path: Path | None) -> bool:
        """Whether a path keeps what is counted; then nothing worse than it need be looked at."""
        if path is None:
            return False
        walked = self._problem.walk(path)
        kept = all(budget.kept(walked) for budget in self._counted.budgets)
        if kept and path != self._avoid:
            self._upper = min(self._upper, walked.score.objective)
        return kept

    def _priced(self, walked: Walk) -> Priced:
        """The price that proves most: dearer while the path that it leads to breaks a limit, else cheaper."""
        counted, problem = self._counted, self._problem
        unit = [1.0 / max(budget.amount(walked), budget.most, 1e-9) for budget in counted.budgets]
        low, high, price = 0.0, math.inf, max(abs(walked.score.objective), 1e-3)
        best: Priced | None = None
        for _ in range(_PRICES):
            holder = problem.tables.holder
            priced = Priced.of(problem.relaxed, counted, [price * each for each in unit], holder)
            best = priced if best is None or priced.least > best.least else best
            if self._consider(priced.table.path(holder)):
                high = price
            else:
                low = price
            price = 4 * low if high == math.inf else (low + high) / 2 if low else high / 4
        assert best is not None
        return best
