"""What is added up along a plan: one array for the moves, one for the steps, for each thing that is counted."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eapg_split.planner.arrays import Bools, Floats
from eapg_split.planner.cost import CostTables
from eapg_split.planner.weights import Weights


@dataclass(frozen=True, eq=False)
class Charge:
    """Amounts of one thing. `entries` is due besides a move, at the node where the state arrives."""

    tables: CostTables
    moves: Floats  # [B, N, N]
    steps: Floats  # [S, N]
    entries: Floats | None = None  # [B, N]

    @cached_property
    def arcs(self) -> Floats:
        """[S, N, N]: from having the state on a node to the next step done on another; infinite where closed."""
        tables = self.tables
        arcs = self.moves[:-1] + self.steps[:, None, :]
        if self.entries is not None:
            staying = arcs.reshape(len(arcs), -1)[:, :: arcs.shape[1] + 1]
            stays = staying.copy()
            arcs += self.entries[:-1, None, :]
            staying[:] = stays
        arcs += tables.walls
        return arcs

    @cached_property
    def arrived(self) -> Floats:
        """[S, N, N]: what is due after the move, the entry and the step; infinite where closed."""
        due = self.tables.walls + self.steps[:, None, :]
        if self.entries is not None:
            due += np.where(_staying(due.shape[1]), 0.0, self.entries[:-1, None, :])
        return due

    @cached_property
    def ends(self) -> Floats:
        """[N]: from the end on a node back to the device."""
        tables, device = self.tables, self.tables.device
        return np.where(tables.open_moves[-1, :, device], self.moves[-1, :, device], np.inf)


def seconds(tables: CostTables, *, surely: bool = False) -> Charge:
    """Time without waiting; `surely` with a probability of 95 %."""
    moves = tables.move_95_s if surely else tables.move_s
    return Charge(tables, moves, tables.compute_s, _entries(tables, np.ones(len(tables.nodes))))


def objective(tables: CostTables, weights: Weights, *, time: float | None = None) -> Charge:
    """What the weights and a policy's penalties make of it, waiting left out; `time` replaces the weight of seconds."""
    per_second = weights.time + weights.energy * tables.idle_w if time is None else time
    factor = per_second + weights.money * tables.per_node.price_per_s
    factor[tables.device] += weights.energy * tables.extra_w
    moves = tables.move_s * per_second
    _add_joules(tables, moves, weights.energy)
    steps = tables.compute_s * factor
    if tables.penalty_moves is not None:
        moves += tables.penalty_moves
    if tables.penalty_steps is not None:
        steps += tables.penalty_steps
    return Charge(tables, moves, steps, _entries(tables, factor))


def energy(tables: CostTables, *, waiting: bool = True) -> Charge:
    """Joules of the device; without `waiting` only what it draws besides idling."""
    idle = tables.idle_w if waiting else 0.0
    factor = np.full(len(tables.nodes), idle)
    factor[tables.device] += tables.extra_w
    moves = tables.move_s * idle
    _add_joules(tables, moves, 1.0)
    return Charge(tables, moves, tables.compute_s * factor, _entries(tables, factor))


def energy_of(tables: CostTables, node: int) -> Charge:
    """Joules that another node spends on computing."""
    factor = np.zeros(len(tables.nodes))
    factor[node] = tables.per_node.active_w[node]
    return Charge(tables, np.zeros_like(tables.move_s), tables.compute_s * factor, _entries(tables, factor))


def money(tables: CostTables) -> Charge:
    factor = tables.per_node.price_per_s
    return Charge(tables, np.zeros_like(tables.move_s), tables.compute_s * factor, _entries(tables, factor))


def cuts(tables: CostTables) -> Charge:
    """How many cuts the plan will name: the prompt's way and the way back at the end are none."""
    moves = np.broadcast_to(~_staying(len(tables.nodes)), tables.move_s.shape).astype(float)
    moves[-1] = 0.0
    if tables.view.start_step == 0:
        moves[0] = 0.0
    return Charge(tables, moves, np.zeros_like(tables.compute_s))


def _add_joules(tables: CostTables, moves: Floats, weight: float) -> None:
    """Adds what moves cost the device's radio and processor."""
    joules = tables.device_joules
    if joules is not None:
        moves[:, tables.device, :] += weight * joules[0]
        moves[:, :, tables.device] += weight * joules[1]


def _entries(tables: CostTables, factor: Floats) -> Floats | None:
    return tables.entry_s * factor if tables.has_entries else None


def _staying(nodes: int) -> Bools:
    return np.eye(nodes, dtype=bool)
