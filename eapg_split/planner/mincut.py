"""DADS (Hu et al., INFOCOM 2019) on a chain: the minimum cut between the device and one remote node."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eapg_split.domain.plan import Plan
from eapg_split.planner import charges
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp import Table
from eapg_split.planner.optimal import planned_by
from eapg_split.planner.policy import PlanView


class MincutPolicy:
    """The fastest assignment of steps to the device and the best one of the remote nodes: an s-t minimum cut.

    DADS connects each unit with the source by its time on one side, with the sink by its time on the other, and units
    that follow each other by what a transfer takes, and cuts. A labelling of a chain by two labels with costs of
    labels and of neighbours is a path through two states a step, so that its minimum cut is that path's shortest one,
    and no flow is needed; both directions have their own price here, and any number of crossings is allowed. As in
    DADS nothing is known of queues. For graphs with branches a flow would be needed; workloads have none.
    """

    name = "mincut"

    def plan(self, view: PlanView) -> Plan:
        return planned_by(self.name, view, two_sided)


def two_sided(tables: CostTables) -> Sequence[int] | None:
    """The cheapest path over the device and any one other node, by seconds; None where there is none."""
    least, found = math.inf, None
    for node in range(len(tables.nodes)):
        table = Table.of(charges.seconds(_only(tables, node)))
        seconds = float(table.value[0, tables.holder])
        if seconds < least:
            least, found = seconds, table.path(tables.holder)
    return found


def _only(tables: CostTables, node: int) -> CostTables:
    """The same tables with every step closed but on the device and one other node."""
    numbers = np.arange(len(tables.nodes))
    sides = (numbers == tables.device) | (numbers == node)
    return replace(tables, open_steps=tables.open_steps & sides)
