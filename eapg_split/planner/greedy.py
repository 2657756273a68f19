"""What one does without a plan: each stage goes where it alone is finished first."""

from collections.abc import Iterator, Sequence

from eapg_split.domain.plan import Plan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.optimal import planned_by
from eapg_split.planner.policy import PlanView


class GreedyPolicy:
    """Stage after stage to the node that finishes it first, from where the state is then; looks no further."""

    name = "greedy"

    def plan(self, view: PlanView) -> Plan:
        return planned_by(self.name, view, myopic)


def myopic(tables: CostTables) -> Sequence[int] | None:
    """The node of each step; None where a stage can go nowhere."""
    path, source, now = list[int](), tables.holder, 0.0
    for start, stop in _stages(tables):
        ways = [
            (_finished(tables, start, stop, source, node, now), node)
            for node in range(len(tables.nodes))
            if tables.open_steps[start:stop, node].all() and tables.open_moves[start, source, node]
        ]
        if not ways:
            return None
        now, source = min(ways)
        path += [source] * (stop - start)
    return path


def _stages(tables: CostTables) -> Iterator[tuple[int, int]]:
    """What is left of each stage, as numbers of steps in the tables."""
    first = tables.view.start_step
    for stage in tables.view.workload.stages:
        if stage.stop_step > first:
            yield max(stage.start_step - first, 0), stage.stop_step - first


def _finished(tables: CostTables, start: int, stop: int, source: int, node: int, now: float) -> float:
    if node != source:
        now = tables.entered_s(now, start, source, node)
    return now + float(tables.compute_s[start:stop, node].sum())
