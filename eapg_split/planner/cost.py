"""Everything that a plan costs, as arrays over (step, node) and (boundary, node, node): made once for each look.

Boundary b is where the state is before the b-th step that is left; the last one is the end. No number here is infinite:
`open_steps` and `open_moves` say what must not be, so that sums of costs need no care.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.arrays import (
    Bools,
    CodedArrays,
    Floats,
    LinkArrays,
    NodeArrays,
    entry_seconds,
    known_nodes,
    step_seconds,
)
from eapg_split.planner.estimates import CodecEstimate, Estimates
from eapg_split.planner.legality import open_crossings, open_steps
from eapg_split.planner.policy import PlanView


@dataclass(frozen=True, eq=False)
class CostTables:
    """The costs of all that is left, for S steps, N nodes, K codecs and B = S + 1 boundaries. Build them with `of`.

    `penalty_steps` and `penalty_moves` are seconds that only the objective sees: what a policy adds to steer the
    choice (infinite to forbid). `slowdown` is by how much the device's heat stretches each step.
    """

    view: PlanView
    estimates: Estimates
    nodes: tuple[NodeId, ...]
    device: int
    holder: int  # who has the state at the first boundary
    per_node: NodeArrays
    links: LinkArrays
    codecs: tuple[CodecEstimate, ...]  # those that the job permits
    coded: CodedArrays
    step_s: Floats  # [S, N]
    entry_s: Floats  # [B, N], besides, where the state arrives from another node
    move_s: Floats  # [B, N, N], 0 from a node to itself
    open_steps: Bools  # [S, N]
    open_moves: Bools  # [B, N, N]
    slowdown: Floats | None = None  # [S]
    penalty_steps: Floats | None = None  # [S, N]
    penalty_moves: Floats | None = None  # [B, N, N]

    @classmethod
    def of(cls, view: PlanView) -> Self:
        """The tables of a view. Raises InfeasiblePlan for one without estimates, or with some that do not fit."""
        if view.estimates is None:
            raise InfeasiblePlan(
                "A plan by cost needs estimates of nodes, links and codecs, and there are none: measure the nodes with"
                " 'eapg-split profile', or choose a fixed policy such as pyramid."
            )
        estimates = view.estimates
        nodes = tuple(node.id for node in view.topology.nodes)
        known = known_nodes(view, estimates)
        index = {node: number for number, node in enumerate(nodes)}
        device = index[view.topology.device.id]
        per_node, links = NodeArrays.of(known), LinkArrays.of(estimates, index)
        codecs = tuple(c for c in estimates.codecs if view.objective.codec in ("auto", c.name))
        coded = CodedArrays.of(view, codecs)
        step_s = step_seconds(view, known)
        move_s = _moves(view, nodes, links, coded, links.bits_per_s)
        open_moves = _open_moves(view, move_s)
        can = np.isfinite(step_s) & np.isfinite(per_node.ready_s)
        move_s[~open_moves] = 0.0
        return cls(
            view=view,
            estimates=estimates,
            nodes=nodes,
            device=device,
            holder=_holder(view, index, device),
            per_node=per_node,
            links=links,
            codecs=codecs,
            coded=coded,
            step_s=np.where(can, step_s, 0.0),
            entry_s=entry_seconds(view, known),
            move_s=move_s,
            open_steps=can & open_steps(view, coded.entropy_bits, per_node.max_entropy_bits),
            open_moves=open_moves,
        )

    @property
    def steps(self) -> int:
        return len(self.step_s)

    @cached_property
    def alone(self) -> int:
        """How many of the first steps only the device may compute."""
        shared = self.open_steps.sum(axis=1) > self.open_steps[:, self.device]
        return int(shared.argmax()) if shared.any() else self.steps

    @cached_property
    def walls(self) -> Floats:
        """[S, N, N]: infinite where a move or the step after it is closed, else 0."""
        return np.where(self.open_moves[:-1] & self.open_steps[:, None, :], 0.0, math.inf)

    @cached_property
    def compute_s(self) -> Floats:
        """[S, N]: seconds of computing, as slow as the heat makes the device."""
        if self.slowdown is None:
            return self.step_s
        seconds = self.step_s.copy()
        seconds[:, self.device] *= self.slowdown
        return seconds

    @cached_property
    def move_95_s(self) -> Floats:
        """[B, N, N]: what each move takes at most with a probability of 95 %, each through its best codec."""
        seconds = _moves(self.view, self.nodes, self.links, self.coded, self.links.bits_per_s_95)
        return np.where(self.open_moves, seconds, 0.0)

    @cached_property
    def move_bits(self) -> Floats:
        """[B, N, N]: what each move sends."""
        bits = np.zeros(self.move_s.shape)
        if self.codecs:
            codec = self.coded.fastest(self.links.bits_per_s.ravel())
            bits = self.coded.bits[codec, np.arange(self.steps + 1)[:, None]].reshape(bits.shape)
        if self.flying is not None:
            source, target, left = self.flying
            bits[0, source, target] = left
        bits[~self.open_moves | np.eye(len(self.nodes), dtype=bool)] = 0.0
        return bits

    @cached_property
    def flying(self) -> tuple[int, int, float] | None:
        """Source, target and bits left of what is on its way, or None."""
        return _flying(self.view, self.nodes)

    def entered_s(self, now_s: float, boundary: int, source: int, target: int) -> float:
        """When the target can begin to compute that gets the state from `source`, who sends it at `now_s`."""
        arrival = now_s + float(self.move_s[boundary, source, target])
        return max(arrival, float(self.per_node.ready_s[target])) + float(self.entry_s[boundary, target])

    @cached_property
    def has_entries(self) -> bool:
        """Whether arriving from another node costs computing anywhere."""
        return bool(self.entry_s.any())

    @property
    def extra_w(self) -> float:
        """What the device draws while it computes, besides what it draws while it waits."""
        return float(self.per_node.active_w[self.device] - self.per_node.idle_w[self.device])

    @property
    def idle_w(self) -> float:
        """What the device draws while it waits."""
        return float(self.per_node.idle_w[self.device])

    @cached_property
    def device_joules(self) -> tuple[Floats, Floats] | None:
        """[B, N] twice: what each move from the device and each to it costs the device besides waiting.

        That is its radio, its encoding and its decoding. None where all of it is nothing.
        """
        device, links = self.device, self.links
        leaves, arrives = links.joules_per_byte[device], links.joules_per_byte[:, device]
        if not self.codecs or not (self.extra_w or leaves.any() or arrives.any()):
            return None
        nodes, boundaries = len(self.nodes), self.steps + 1
        codec = self.coded.fastest(np.concatenate([links.bits_per_s[device], links.bits_per_s[:, device]]))
        cell = codec * boundaries + np.arange(boundaries)[:, None]
        joules = self.coded.bits.take(cell)
        joules *= np.concatenate([leaves, arrives]) / 8
        leaving, arriving = joules[:, :nodes], joules[:, nodes:]
        if self.extra_w:
            leaving += self.extra_w * self.coded.encode_s.take(cell[:, :nodes])
            arriving += self.extra_w * self.coded.decode_s.take(cell[:, nodes:])
        leaving[:, device] = arriving[:, device] = 0.0
        if self.flying is not None:
            source, target, left = self.flying
            if source == device:
                leaving[0, target] = left * leaves[target] / 8
            elif target == device:
                arriving[0, source] = left * arrives[source] / 8
        return leaving, arriving


def _holder(view: PlanView, index: dict[NodeId, int], device: int) -> int:
    """Who has the state: the prompt is on the device, and what is on its way is still with its sender."""
    if view.start_step == 0:
        return device
    at = view.in_flight.source if view.in_flight is not None else view.at
    if at is None:
        return device
    if at not in index:
        raise InfeasiblePlan(f"The state is said to be on {at}, which is not among the known nodes.")
    return index[at]


def _moves(
    view: PlanView, nodes: tuple[NodeId, ...], links: LinkArrays, coded: CodedArrays, rate: Floats
) -> Floats:
    """Seconds of all moves; what is on its way already needs only the rest of its bytes."""
    seconds = coded.soonest(links, rate)
    flying = _flying(view, nodes)
    if flying is not None:
        *ends, left = flying
        cell = (ends[0], ends[1])
        seconds[(0, *cell)] = links.rtt_s[cell] + left / rate[cell] if rate[cell] > 0 else math.inf
    return seconds


def _flying(view: PlanView, nodes: tuple[NodeId, ...]) -> tuple[int, int, float] | None:
    """Source, target and bits left of what is on its way. Raises InfeasiblePlan for ends that nobody knows."""
    flight = view.in_flight
    if flight is None:
        return None
    for end in (flight.source, flight.target):
        if end not in nodes:
            raise InfeasiblePlan(f"A state is on its way at {end}, which is not among the known nodes.")
    return nodes.index(flight.source), nodes.index(flight.target), 8.0 * max(flight.remaining_bytes, 0)


def _open_moves(view: PlanView, seconds: Floats) -> Bools:
    """[B, N, N]. The prompt needs no codec; what resumes elsewhere than on the device needs the device's, for a plan
    may also begin from the checkpoint there.
    """
    crossings = open_crossings(view)
    allowed = np.isfinite(seconds) & crossings
    if view.start_step == 0:
        there = np.array([node.id not in view.unavailable for node in view.topology.nodes])
        allowed[0] = np.isfinite(seconds[0]) & there & there[:, None]
    elif view.objective.codec not in view.topology.device.codecs:
        allowed[0] &= np.eye(len(crossings), dtype=bool)
    return allowed
