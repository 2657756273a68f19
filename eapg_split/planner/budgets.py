"""The limits of a job as sums along a plan: deadline, energy, money, cuts, and the batteries of other nodes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eapg_split.planner import charges
from eapg_split.planner.charges import Charge
from eapg_split.planner.cost import CostTables
from eapg_split.planner.labels import TOLERANCE
from eapg_split.planner.walk import Walk


@dataclass(frozen=True, eq=False)
class Budget:
    """One limit. `name` is how a sentence calls it, `unit` what its amounts are in.

    `clock` is for time, which stands still while a node is not ready; `idle_w` for energy, which runs on meanwhile:
    then `charge` is all that steps and moves draw, idling included, and `busy` only what they draw besides idling.
    """

    name: str
    unit: str
    most: float
    amount: Callable[[Walk], float]
    charge: Callable[[], Charge]
    clock: bool = False
    idle_w: float = 0.0
    busy: Callable[[], Charge] | None = None

    def kept(self, walk: Walk) -> bool:
        return self.amount(walk) <= self.most + 2 * TOLERANCE * max(1.0, self.most)

    def says(self, amount: float) -> str:
        """An amount for people."""
        return f"{amount:.3g} {self.unit}"


def budgets_of(tables: CostTables) -> tuple[Budget, ...]:
    """All limits that are finite, in the order in which they are looked at."""
    objective, battery = tables.view.objective, tables.per_node.battery_j
    found = [_cuts(tables)]
    if min(objective.max_energy_j, float(battery[tables.device])) < math.inf:
        found.append(_energy(tables))
    if objective.max_money < math.inf:
        found.append(_money(tables))
    if objective.deadline_s < math.inf:
        found.append(_deadline(tables))
    others = (node for node in np.flatnonzero(battery < math.inf).tolist() if node != tables.device)
    found += [_battery(tables, node) for node in others]
    return tuple(found[::-1])


def _deadline(tables: CostTables) -> Budget:
    most = tables.view.objective.deadline_s
    return Budget(
        f"the deadline of {most:.3g} s",
        "s (95 % sure)",
        most,
        lambda walk: walk.score.time95_s,
        lambda: charges.seconds(tables, surely=True),
        clock=True,
    )


def _money(tables: CostTables) -> Budget:
    most = tables.view.objective.max_money
    return Budget(
        f"the limit of {most:.3g} money",
        "money",
        most,
        lambda walk: walk.score.money,
        lambda: charges.money(tables),
    )


def _cuts(tables: CostTables) -> Budget:
    most = tables.view.objective.max_cuts
    return Budget(
        f"the limit of {most} cuts",
        "cuts",
        most,
        lambda walk: walk.cuts,
        lambda: charges.cuts(tables),
    )


def _energy(tables: CostTables) -> Budget:
    """Of the device: what the person allows, or what its battery has above its floor, whichever is less."""
    allowed, left = tables.view.objective.max_energy_j, float(tables.per_node.battery_j[tables.device])
    name = (
        f"the limit of {allowed:.3g} J"
        if allowed <= left
        else f"the device's battery with {left:.3g} J to spare"
    )
    return Budget(
        name,
        "J",
        min(allowed, left),
        lambda walk: walk.score.energy_j,
        lambda: charges.energy(tables),
        idle_w=tables.idle_w,
        busy=lambda: charges.energy(tables, waiting=False),
    )


def _battery(tables: CostTables, node: int) -> Budget:
    left, watts = float(tables.per_node.battery_j[node]), float(tables.per_node.active_w[node])
    name = tables.nodes[node]
    return Budget(
        f"the battery of {name} with {left:.3g} J to spare",
        "J",
        left,
        lambda walk: watts * sum(leg.compute_s for leg in walk.legs if leg.node == name),
        lambda: charges.energy_of(tables, node),
    )
