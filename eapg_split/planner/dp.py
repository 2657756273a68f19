"""The least that is left to pay, from every boundary and every node: one backward pass, and then only looking up.

    V[b, n] = min over m of  move[b, n, m] + step[b, m] + V[b + 1, m],    V[S, n] = the way back to the device

Whatever a job has spent is not in it, so that a re-plan under the same estimates is a look-up at (boundary, node).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eapg_split.planner.arrays import Floats
from eapg_split.planner.charges import Charge
from eapg_split.planner.cost import CostTables


@dataclass(frozen=True, eq=False)
class Table:
    """`value` [B, N], infinite where nothing legal leads to the end; `arcs` as in Charge."""

    value: Floats
    arcs: Floats

    @classmethod
    def of(cls, charge: Charge) -> "Table":
        """The backward pass over one charge."""
        return cls.over(charge.arcs, charge.ends, charge.tables)

    @classmethod
    def over(cls, arcs: Floats, ends: Floats, tables: CostTables) -> "Table":
        """The backward pass over arcs [S, N, N] and what the way back costs from each node [N]."""
        steps, nodes, _ = arcs.shape
        alone, device = tables.alone, tables.device
        value = np.empty((steps + 1, nodes))
        value[steps] = ends
        through, add, least = np.empty((nodes, nodes)), np.add, np.minimum.reduce
        rows = list(value[alone:])
        for arc, after, before in zip(arcs[alone:][::-1], rows[:0:-1], rows[-2::-1], strict=True):
            add(arc, after, through)
            least(through, 1, None, before)
        if alone:  # no choice there: running sums
            value[:alone, device] = value[alone, device] + arcs[:alone, device, device][::-1].cumsum()[::-1]
            value[:alone] = arcs[:alone, :, device] + value[1 : alone + 1, device, None]
        return cls(value, arcs)

    @cached_property
    def _next(self) -> list[list[int]]:
        choice: list[list[int]] = (self.arcs + self.value[1:, None, :]).argmin(axis=2).tolist()
        return choice

    def path(self, node: int, boundary: int = 0) -> tuple[int, ...]:
        """The node of each step from a boundary on, best for who has the state there. It must be feasible."""
        path = []
        for choice in self._next[boundary:]:
            node = choice[node]
            path.append(node)
        return tuple(path)

    def second_best(self, holder: int, best: Sequence[int]) -> tuple[int, ...] | None:
        """The best path of those that differ from the best one in at least one node; None where there is none.

        A path that differs goes through some (step, node) beside the best one: the cheapest of the ways to such a
        place, from a forward pass, and on from there.
        """
        steps, nodes, _ = self.arcs.shape
        came = np.zeros((steps, nodes), np.intp)
        cost = np.full(nodes, np.inf)
        cost[holder] = 0.0
        total = np.empty((steps, nodes))
        for step, arc in enumerate(self.arcs):
            through = cost[:, None] + arc
            came[step] = through.argmin(axis=0)
            cost = through.min(axis=0)
            total[step] = cost + self.value[step + 1]
        total[np.arange(steps), list(best)] = np.inf
        step, node = (int(i) for i in np.unravel_index(int(total.argmin()), total.shape))
        if not np.isfinite(total[step, node]):
            return None
        back = [node]
        for earlier in range(step, 0, -1):
            back.append(int(came[earlier, back[-1]]))
        return (*back[::-1], *self.path(node, step + 1))
