"""Neurosurgeon (Kang et al., ASPLOS 2017) for a chain that must come home: two tiers, one way out, one way back."""

import math
from collections.abc import Sequence

import numpy as np

from eapg_split.domain.plan import Plan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.optimal import planned_by
from eapg_split.planner.policy import PlanView


class NeurosurgeonPolicy:
    """The best single cut between the device and one remote node, by mean rates, and the return hop; plans once.

    Every cut is tried with every remote node, and latency decides. Decoding is the device's, so that the way back is
    before it; the original sends a label back, which costs nothing.
    """

    name = "neurosurgeon"

    def plan(self, view: PlanView) -> Plan:
        return planned_by(self.name, view, single_cut)


def single_cut(tables: CostTables) -> Sequence[int] | None:
    """The fastest of all paths device ... device, remote ... remote, device ... device with at most one remote run.

    The run ends after the last step that the remote node may compute. None where no path is open.
    """
    device, steps = tables.device, tables.steps
    compute = _Sums(tables)
    least, found = compute.seconds([(device, 0, steps)]), [device] * steps
    for node in range(len(tables.nodes)):
        may = np.flatnonzero(tables.open_steps[:, node])
        if node == device or not len(may):
            continue
        stop = int(may[-1]) + 1
        for start in may.tolist():
            runs = [(device, 0, start), (node, start, stop), (device, stop, steps)]
            seconds = compute.seconds([run for run in runs if run[1] < run[2]])
            if seconds < least:
                least = seconds
                found = [device] * start + [node] * (stop - start) + [device] * (steps - stop)
    return found if math.isfinite(least) else None


class _Sums:
    """Sums of computing from the first step on, so that a run is priced by one difference."""

    def __init__(self, tables: CostTables) -> None:
        self._tables = tables
        nodes = len(tables.nodes)
        self._seconds = np.vstack([np.zeros(nodes), tables.compute_s.cumsum(axis=0)]).tolist()
        self._open = np.vstack([np.zeros(nodes, int), tables.open_steps.cumsum(axis=0)]).tolist()

    def seconds(self, runs: Sequence[tuple[int, int, int]]) -> float:
        """How long runs (node, first step, end) take in order; infinite where one of them is closed."""
        tables, now, source = self._tables, 0.0, self._tables.holder
        for node, start, stop in runs:
            if self._open[stop][node] - self._open[start][node] < stop - start:
                return math.inf
            if node != source:
                if not tables.open_moves[start, source, node]:
                    return math.inf
                now = tables.entered_s(now, start, source, node)
            now += self._seconds[stop][node] - self._seconds[start][node]
            source = node
        return now if source == tables.device or tables.open_moves[-1, source, tables.device] else math.inf
