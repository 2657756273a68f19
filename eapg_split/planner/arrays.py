"""Estimates as arrays: what is told of nodes, links and codecs, with what is not a number made harmless."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import PART_RAW_BYTES
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.estimates import CodecEstimate, Estimates, NodeEstimate
from eapg_split.planner.policy import PlanView

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

SIGMAS_95: Final = 1.645  # 95 % of a normal distribution lie above its mean less so many deviations
_LARGEST_SIGMA: Final = 10.0
_LARGEST: Final = 1e15  # of any rate, power or price: sums of them stay finite
_ABSENT: Final = NodeEstimate(step_s=())


@dataclass(frozen=True)
class NodeArrays:
    """[N] each, in the units of NodeEstimate. What is unknown limits nothing and costs nothing."""

    ready_s: Floats
    active_w: Floats
    idle_w: Floats
    price_per_s: Floats
    battery_j: Floats
    max_entropy_bits: Floats

    @classmethod
    def of(cls, known: Sequence[NodeEstimate]) -> "NodeArrays":
        rows = [
            (n.ready_s, n.active_w, n.idle_w, n.price_per_s, n.battery_j, n.max_entropy_bits) for n in known
        ]
        table = np.array(rows, float).T
        costs, limits = table[:4], table[4:]
        costs[~(costs >= 0)] = 0.0
        np.minimum(costs[1:], _LARGEST, out=costs[1:])
        limits[np.isnan(limits)] = math.inf
        return cls(*table)


@dataclass(frozen=True)
class LinkArrays:
    """[N, N] each, from row to column. A rate of 0 is no link."""

    bits_per_s: Floats
    rtt_s: Floats
    sigma: Floats
    joules_per_byte: Floats

    @classmethod
    def of(cls, estimates: Estimates, index: Mapping[NodeId, int]) -> "LinkArrays":
        table = np.zeros((4, len(index), len(index)))
        for (source, target), link in estimates.links.items():
            if source in index and target in index and source != target:
                numbers = link.bits_per_s, link.rtt_s, link.sigma, link.joules_per_byte
                table[:, index[source], index[target]] = numbers
        table[0][~np.isfinite(table[1])] = 0.0
        table[~(table >= 0)] = 0.0
        np.minimum(table, _LARGEST, out=table)
        return cls(table[0], table[1], np.minimum(table[2], _LARGEST_SIGMA), table[3])

    @cached_property
    def bits_per_s_95(self) -> Floats:
        """What each link carries at least with a probability of 95 %, its rate being log-normal."""
        rate: Floats = self.bits_per_s * np.exp(-SIGMAS_95 * self.sigma)
        return rate


@dataclass(frozen=True)
class CodedArrays:
    """[K, B] each: what a state takes through each permitted codec, where that is known (`usable`).

    `parts` [B] says in how many parts it is coded.
    """

    usable: Bools
    bits: Floats
    encode_s: Floats
    decode_s: Floats
    parts: Floats

    @classmethod
    def of(cls, view: PlanView, codecs: Sequence[CodecEstimate]) -> "CodedArrays":
        start, end = view.start_step, view.workload.steps + 1
        for codec in codecs:
            if not len(codec.bits) == len(codec.encode_s) == len(codec.decode_s) == end:
                raise InfeasiblePlan(
                    f"The estimate of the codec {codec.name} must have {end} boundaries: estimate this workload anew."
                )
        table = np.array([(codec.bits, codec.encode_s, codec.decode_s) for codec in codecs], float)
        table = table.reshape(len(codecs), 3, end)[:, :, start:]
        usable: Bools = np.all((table >= 0) & (table < math.inf), axis=1)
        table = np.where(usable[:, None], table, 0.0)
        raw = [view.workload.spec_after(-1).raw_bytes, *(spec.raw_bytes for spec in view.workload.specs)]
        parts = np.array(raw[start:]) // PART_RAW_BYTES + 1.0
        return cls(usable, table[:, 0], table[:, 1], table[:, 2], parts)

    @cached_property
    def entropy_bits(self) -> Floats:
        """[B]: the size of each state as the tightest codec codes it; 0 where none is known."""
        least = np.where(self.usable, self.bits, math.inf).min(axis=0, initial=math.inf)
        return np.where(np.isfinite(least), least, 0.0)

    def seconds(self, links: LinkArrays, rate: Floats) -> tuple[Floats, Ints]:
        """[B, N, N]: how long each move takes, and the number of the codec that arrives first.

        rtt + max(encode, send, decode) + (the other two) / parts: every codec of ours works part by part, so that
        encoding, sending and decoding overlap but for one part (`codecs.choice` computes the same). Infinite where
        there is no link or no codec, 0 from a node to itself.
        """
        linked = rate > 0
        per_bit = np.divide(1.0, rate, out=np.zeros(rate.shape), where=linked).ravel()
        single = 1.0 / self.parts[:, None]
        best = np.full((len(self.parts), rate.size), math.inf)
        chosen = np.zeros(best.shape, np.intp)
        for number in range(len(self.bits)):
            seconds = self._through(number, per_bit, single)
            better = seconds < best
            np.copyto(best, seconds, where=better)
            if number:
                np.copyto(chosen, number, where=better)
        best += links.rtt_s.ravel()
        best[:, ~linked.ravel()] = math.inf
        best[:, :: len(rate) + 1] = 0.0
        shape = (len(self.parts), *rate.shape)
        return best.reshape(shape), chosen.reshape(shape)

    def seconds_at(self, boundary: int, rate: float, numbers: Iterable[int]) -> tuple[float, int]:
        """Of one move through some codecs, rtt left out: the seconds and the number of the one that arrives first."""
        single = 1.0 / float(self.parts[boundary])
        best, chosen = math.inf, 0
        for number in numbers:
            if not self.usable[number, boundary]:
                continue
            send = max(float(self.bits[number, boundary]), 1.0) / rate if rate > 0 else math.inf
            stages = float(self.encode_s[number, boundary]), send, float(self.decode_s[number, boundary])
            seconds = max(stages) * (1.0 - single) + sum(stages) * single
            if seconds < best:
                best, chosen = seconds, number
        return best, chosen

    def _through(self, number: int, per_bit: Floats, single: Floats) -> Floats:
        encode, decode = self.encode_s[number][:, None], self.decode_s[number][:, None]
        send = np.multiply(np.maximum(self.bits[number], 1.0)[:, None], per_bit)
        seconds: Floats = np.maximum(send, np.maximum(encode, decode))
        seconds *= 1.0 - single
        send *= single
        seconds += send
        seconds += (encode + decode) * single
        seconds[~self.usable[number]] = math.inf
        return seconds


def known_nodes(view: PlanView, estimates: Estimates) -> list[NodeEstimate]:
    """The estimates in the order of the topology; a node without one can do nothing."""
    known = [estimates.nodes.get(node.id, _ABSENT) for node in view.topology.nodes]
    steps = view.workload.steps
    for node, each in zip(view.topology.nodes, known, strict=True):
        if each is not _ABSENT and (len(each.step_s) != steps or len(each.entry_s) not in (0, steps)):
            raise InfeasiblePlan(
                f"The estimate of {node.id} has {len(each.step_s)} steps and the workload {steps}: "
                "estimate this workload anew."
            )
    return known


def step_seconds(view: PlanView, known: Sequence[NodeEstimate]) -> Floats:
    """[S, N]: seconds of computing, infinite where a node cannot."""
    cannot = (math.inf,) * view.workload.steps
    table = np.array([each.step_s or cannot for each in known], float)[:, view.start_step :].T
    return np.where(table >= 0, table, math.inf)


def entry_seconds(view: PlanView, known: Sequence[NodeEstimate]) -> Floats:
    """[B, N]: seconds of computing besides, where the state arrives at a node from another one."""
    table = np.zeros((view.workload.steps - view.start_step + 1, len(known)))
    for number, each in enumerate(known):
        if each.entry_s:
            table[:-1, number] = each.entry_s[view.start_step :]
    return np.where(table >= 0, table, 0.0)
