"""One plan, walked through from where the state is to the end: what every leg takes, waits, draws and costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from eapg_split.domain.topology import NodeId
from eapg_split.planner.cost import CostTables
from eapg_split.planner.moves import STAYS, Move, price_move
from eapg_split.planner.warmth import Warmth
from eapg_split.planner.weights import Weights

Path = tuple[int, ...]  # the node of each step that is left, as its number in the tables


@dataclass(frozen=True, slots=True)
class Score:
    """What a plan costs from now on: seconds, seconds with a probability of 95 %, joules of the device, money.

    `objective` is what the goal's weights make of them: of two feasible plans the one with less is better. For an
    infeasible plan it is infinite, and `why` says which limit is broken.
    """

    time_s: float
    time95_s: float
    energy_j: float
    money: float
    objective: float
    feasible: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """A move, if there is one, and the steps from start_step to stop_step (half-open) that follow on one node.

    `wait_s` is until the node is ready; `entry_s`, what arriving in the middle of a stage costs, is part of
    `compute_s`. Joules are of the device. The last leg of a plan that ends elsewhere is the way back, without steps.
    """

    node: NodeId
    start_step: int
    stop_step: int
    source: NodeId
    move: Move
    wait_s: float
    entry_s: float
    compute_s: float
    joules: float
    money: float
    temperature_c: float  # of the device at the end, NaN where it is not modelled


@dataclass(frozen=True, slots=True)
class Walk:
    """All legs of a path and their sums; of the device, where its heat is modelled, what it does to each step.

    `slowdown` is how much longer than now each step takes there, or would; `step_c` the temperature at each step's end.
    """

    legs: tuple[Leg, ...]
    score: Score
    slowdown: tuple[float, ...] = ()
    step_c: tuple[float, ...] = ()

    @property
    def cuts(self) -> int:
        """How many cuts the plan names: the prompt's way and the way back at the end are none."""
        moved = (leg for leg in self.legs if leg.source != leg.node)
        return sum(0 < leg.start_step < leg.stop_step for leg in moved)

    @property
    def wait_s(self) -> float:
        """Until nodes that the state had reached were ready."""
        return sum(leg.wait_s for leg in self.legs)


def walk(
    tables: CostTables,
    weights: Weights,
    path: Sequence[int],
    *,
    heat: bool = True,
    codecs: Mapping[int, int] | None = None,
) -> Walk:
    """Walks through a path whose steps and moves are all open.

    With `heat` the device warms up on the way where that is modelled; without, the tables' slowdown holds. `codecs`
    names a codec by its number for some boundaries; on the others the cheapest is taken.
    """
    walker = _Walker(tables, Warmth.of(tables) if heat else None, codecs or {})
    begin, source = 0, tables.holder
    for node, run in groupby(path):
        end = begin + len(list(run))
        walker.leg(source, node, begin, end)
        begin, source = end, node
    if source != tables.device:
        walker.leg(source, tables.device, begin, begin)
    return walker.walked(weights, path)


class _Walker:
    """What changes on the way."""

    def __init__(self, tables: CostTables, warmth: Warmth | None, codecs: Mapping[int, int]) -> None:
        self._tables, self._warmth, self._codecs = tables, warmth, codecs
        self._legs: list[Leg] = []
        self._now_s = self._now95_s = 0.0

    def leg(self, source: int, node: int, begin: int, end: int) -> None:
        """Adds the move from `source` to `node` before the step number `begin`, and the steps up to `end`."""
        tables, first = self._tables, self._tables.view.start_step
        move = price_move(tables, begin, source, node, self._codecs.get(begin)) if source != node else STAYS
        ready = float(tables.per_node.ready_s[node]) if end > begin else 0.0
        wait = max(0.0, ready - (self._now_s + move.seconds))
        entry = float(tables.entry_s[begin, node]) if source != node else 0.0
        compute, computing_j = self._compute(node, begin, end, idle_s=move.seconds + wait, entry_s=entry)
        self._now_s = max(self._now_s + move.seconds, ready) + compute
        self._now95_s = max(self._now95_s + move.seconds_95, ready) + compute
        self._legs.append(
            Leg(
                node=tables.nodes[node],
                start_step=first + begin,
                stop_step=first + end,
                source=tables.nodes[source],
                move=move,
                wait_s=wait,
                entry_s=entry,
                compute_s=compute,
                joules=tables.idle_w * (move.seconds + wait) + computing_j + move.joules,
                money=compute * float(tables.per_node.price_per_s[node]),
                temperature_c=self._warmth.temperature_c if self._warmth else math.nan,
            )
        )

    def _compute(
        self, node: int, begin: int, end: int, *, idle_s: float, entry_s: float
    ) -> tuple[float, float]:
        """Seconds that the steps take on a node, and what the device draws meanwhile."""
        tables, warmth = self._tables, self._warmth
        steps_s = (tables.compute_s if warmth is None else tables.step_s)[begin:end, node].tolist()
        seconds = entry_s + sum(steps_s)
        on_device = node == tables.device
        if warmth is not None:
            warmth.wait(idle_s)
            if on_device:
                return warmth.computes(steps_s, entry_s)
            warmth.elsewhere(steps_s)
        return seconds, seconds * (tables.idle_w + (tables.extra_w if on_device else 0.0))

    def walked(self, weights: Weights, path: Sequence[int]) -> Walk:
        legs, warmth = tuple(self._legs), self._warmth
        energy, money = sum(leg.joules for leg in legs), sum(leg.money for leg in legs)
        worth = weights.of(self._now_s, energy, money) + _penalty(self._tables, path)
        score = Score(self._now_s, self._now95_s, energy, money, worth)
        if warmth is None:
            return Walk(legs, score)
        return Walk(legs, score, tuple(warmth.slowdown), tuple(warmth.step_c))


def _penalty(tables: CostTables, path: Sequence[int]) -> float:
    """Seconds that a policy puts on top of a path."""
    total, source = 0.0, tables.holder
    for step, node in enumerate(path):
        if tables.penalty_steps is not None:
            total += float(tables.penalty_steps[step, node])
        if tables.penalty_moves is not None and node != source:
            total += float(tables.penalty_moves[step, source, node])
        source = node
    if tables.penalty_moves is not None and source != tables.device:
        total += float(tables.penalty_moves[-1, source, tables.device])
    return total
