"""The routing of Petals (Borzunov et al., 2023) on our chain, with its constants: no bytes and no queues."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.planner.arrays import Floats
from eapg_split.planner.charges import Charge
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp import Table
from eapg_split.planner.optimal import planned_by
from eapg_split.planner.policy import PlanView

# as in petals/client/routing/sequence_manager.py at 22afba6
SERIALIZATION_S: Final = 0.018  # to wrap and unwrap a tensor
DEFAULT_RTT_S: Final = 0.15  # between peers of which nothing is known
MAX_RTT_S: Final = 5.0
DEFAULT_BLOCKS_PER_S: Final = 300.0  # of a server that does not say
BAN_S: Final = 15.0  # after a failure, twice as long after each further one


@dataclass(frozen=True, slots=True)
class _Ban:
    until_s: float
    length_s: float


class ShortestPathPolicy:
    """The shortest path by step times and half round trips, as Petals routes; bans nodes that failed for a while."""

    name = "shortest-path"

    def __init__(self) -> None:
        self._bans: dict[NodeId, _Ban] = {}

    def plan(self, view: PlanView) -> Plan:
        if view.start_step == 0:
            self._bans.clear()
        self._note_failures(view)
        return planned_by(self.name, view, self._route)

    def _note_failures(self, view: PlanView) -> None:
        for node in view.unavailable:
            ban = self._bans.get(node, _Ban(-1.0, BAN_S / 2))
            if ban.until_s <= view.now_s:
                self._bans[node] = _Ban(view.now_s + 2 * ban.length_s, 2 * ban.length_s)

    def _route(self, tables: CostTables) -> Sequence[int] | None:
        banned = [self._is_banned(tables, node) for node in range(len(tables.nodes))]
        for closed in (np.array(banned), np.zeros(len(banned), bool)):  # better a banned node than none
            usable = replace(tables, open_steps=tables.open_steps & ~closed)
            table = Table.of(Charge(usable, _moves(usable), _steps(usable)))
            if np.isfinite(table.value[0, tables.holder]):
                return table.path(tables.holder)
        return None

    def _is_banned(self, tables: CostTables, node: int) -> bool:
        ban = self._bans.get(tables.nodes[node])
        return node != tables.device and ban is not None and ban.until_s > tables.view.now_s


def _moves(tables: CostTables) -> Floats:
    """[B, N, N]: half a round trip and the serialisation, whatever is sent."""
    nodes = tables.nodes
    seconds = np.full((len(nodes), len(nodes)), DEFAULT_RTT_S)
    for row, source in enumerate(nodes):
        for column, target in enumerate(nodes):
            link = tables.estimates.links.get((source, target))
            if link is not None and link.rtt_s > 0:
                seconds[row, column] = min(link.rtt_s, MAX_RTT_S)
    seconds = seconds / 2 + SERIALIZATION_S
    np.fill_diagonal(seconds, 0.0)
    return np.broadcast_to(seconds, tables.move_s.shape).copy()


def _steps(tables: CostTables) -> Floats:
    """[S, N]: one over the steps that a node does in a second."""
    seconds: Floats = np.where(tables.compute_s > 0, tables.compute_s, 1 / DEFAULT_BLOCKS_PER_S)
    return seconds
