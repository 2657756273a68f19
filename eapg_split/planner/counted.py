"""What labels have to count so that some limits and waiting are exact, and what a price on the limits proves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eapg_split.planner import charges
from eapg_split.planner.arrays import Floats
from eapg_split.planner.budgets import Budget
from eapg_split.planner.charges import Charge
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp import Table
from eapg_split.planner.labels import Bound, Dimension
from eapg_split.planner.weights import Weights


@dataclass(frozen=True, eq=False)
class Counted:
    """D dimensions of labels. The objective and each limit are sums over them: `objective` [D], `rows` [limits, D]."""

    budgets: tuple[Budget, ...]
    charges: tuple[Charge, ...]  # of each limit, waiting left out
    dimensions: tuple[Dimension, ...]
    objective: Floats
    rows: Floats
    bounds: tuple[Bound, ...]

    @property
    def tables(self) -> CostTables:
        return self.dimensions[0].charge.tables

    @property
    def hopeless(self) -> bool:
        """Whether no path keeps one of the limits, even without waiting."""
        return any(float(bound.to_go[0, self.tables.holder]) > bound.most for bound in self.bounds)

    @classmethod
    def of(
        cls, tables: CostTables, weights: Weights, budgets: tuple[Budget, ...], *, waits: bool
    ) -> "Counted":
        """With waiting, time is a clock of its own; without, it is in the objective's one sum."""
        if waits:
            dimensions = [
                Dimension(charges.seconds(tables), clock=True),
                Dimension(charges.objective(tables, weights, time=0.0)),
            ]
            objective = [weights.time + weights.energy * tables.idle_w, 1.0]
        else:
            dimensions, objective = [Dimension(charges.objective(tables, weights))], [1.0]
        first, sums = len(dimensions), tuple(budget.charge() for budget in budgets)
        rows = np.zeros((len(budgets), first + len(budgets)))
        for number, (budget, charge) in enumerate(zip(budgets, sums, strict=True)):
            rows[number, first + number] = 1.0
            if waits and budget.busy is not None:
                rows[number, 0] = budget.idle_w
                charge = budget.busy()
            dimensions.append(Dimension(charge, clock=waits and budget.clock))
        bounds = tuple(
            Bound(row, budget.most, Table.of(charge).value)
            for row, budget, charge in zip(rows, budgets, sums, strict=True)
        )
        padded = np.append(objective, np.zeros(len(budgets)))
        return cls(budgets, sums, tuple(dimensions), padded, rows, bounds)


@dataclass(frozen=True, eq=False)
class Priced:
    """A backward pass over the objective and a price for each unit of each limit.

    Whatever keeps the limits, pays at least `least` (Lagrange): so that of a label that has paid much of a limit it is
    known early that it cannot end better than a path which is known already.
    """

    table: Table
    row: Floats  # [D]
    refund: float  # the price of all that the limits allow
    least: float

    @classmethod
    def of(cls, relaxed: Table, counted: Counted, prices: Sequence[float], holder: int) -> "Priced":
        arcs, ends, row, refund = relaxed.arcs.copy(), relaxed.value[-1].copy(), counted.objective.copy(), 0.0
        for budget, charge, own, price in zip(
            counted.budgets, counted.charges, counted.rows, prices, strict=True
        ):
            arcs += price * charge.arcs
            ends += price * charge.ends
            row += price * own
            refund += price * budget.most
        table = Table.over(arcs, ends, counted.tables)
        return cls(table, row, refund, float(table.value[0, holder]) - refund)

    def bound(self, upper: float) -> Bound:
        """What a label must keep to end at `upper` or better."""
        return Bound(self.row, upper + self.refund, self.table.value)
