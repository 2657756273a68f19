"""Estimates as arrays: what is told of nodes, links and codecs, with what is not a number made harmless."""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
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


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class LinkArrays:
    """[N, N] each, from row to column. A rate of 0 is no link; joules are of the device, for links that end there."""

    bits_per_s: Floats
    rtt_s: Floats
    sigma: Floats
    joules_per_byte: Floats

    @classmethod
    def of(cls, estimates: Estimates, index: Mapping[NodeId, int]) -> "LinkArrays":
        table = np.zeros((4, len(index), len(index)))
        known = [
            (index[source], index[target], link.bits_per_s, link.rtt_s, link.sigma, link.joules_per_byte)
            for (source, target), link in estimates.links.items()
            if source in index and target in index and source != target
        ]
        if known:
            numbers = np.array(known, float).T
            sources, targets = numbers[:2].astype(int)
            table[:, sources, targets] = numbers[2:]
        table[0][~np.isfinite(table[1])] = 0.0
        table[~(table >= 0)] = 0.0
        np.minimum(table, _LARGEST, out=table)
        return cls(table[0], table[1], np.minimum(table[2], _LARGEST_SIGMA), table[3])

    @cached_property
    def bits_per_s_95(self) -> Floats:
        """What each link carries at least with a probability of 95 %, its rate being log-normal."""
        rate: Floats = self.bits_per_s * np.exp(-SIGMAS_95 * self.sigma)
        return rate


@dataclass(frozen=True, eq=False)
class CodedArrays:
    """What a state takes through each of K codecs at each boundary, and how long it is on its way.

    A move takes rtt + max(encode, send, decode) + (the other two) / parts seconds: every codec of ours works part by
    part, so that encoding, sending and decoding overlap but for one part (`codecs.choice` computes the same). That is
    rtt and the larger of two straight lines over the link's seconds for a bit: `slopes` and `offsets`.
    """

    usable: Bools  # [K, B]: what is estimated at all
    bits: Floats  # [K, B]
    encode_s: Floats  # [K, B]
    decode_s: Floats  # [K, B]
    parts: Floats  # [B]: in how many parts the state is coded
    information: Floats  # [B], or empty: Estimates.entropy_bits

    @classmethod
    def of(cls, view: PlanView, codecs: Sequence[CodecEstimate]) -> "CodedArrays":
        start, end = view.start_step, view.workload.steps + 1
        for codec in codecs:
            if not len(codec.bits) == len(codec.encode_s) == len(codec.decode_s) == end:
                raise InfeasiblePlan(
                    f"The estimate of the codec {codec.name} must have {end} boundaries: estimate this workload anew."
                )
        rows = [row for codec in codecs for row in (codec.bits, codec.encode_s, codec.decode_s)]
        table = _packed(rows, end).reshape(len(codecs), 3, end)[:, :, start:]
        usable: Bools = np.all((table >= 0) & (table < math.inf), axis=1)
        bits, encode_s, decode_s = np.where(usable[:, None], table, 0.0).transpose(1, 0, 2)
        stated = view.estimates.entropy_bits if view.estimates else ()
        if len(stated) not in (0, end):
            raise InfeasiblePlan(
                f"The estimate needs the entropy of {end} boundaries: estimate this workload anew."
            )
        return cls(usable, bits, encode_s, decode_s, _parts(view)[start:], np.array(stated[start:], float))

    @cached_property
    def entropy_bits(self) -> Floats:
        """[B]: what there is to know of each state, else its size in the tightest codec; 0 where none is known."""
        if self.information.size:
            return self.information
        least = np.where(self.usable, self.bits, math.inf).min(axis=0, initial=math.inf)
        return np.where(np.isfinite(least), least, 0.0)

    @cached_property
    def _lines(self) -> Floats:
        """[K, 2, B, 2]: slope and offset of both lines; zeros where a codec is not usable."""
        single = 1.0 / self.parts
        coding = (self.encode_s + self.decode_s) * single
        lines = np.empty((len(self.bits), 2, len(self.parts), 2))
        lines[:, 0, :, 0] = self.bits
        lines[:, 0, :, 1] = coding
        lines[:, 1, :, 0] = self.bits * single
        lines[:, 1, :, 1] = coding + np.maximum(self.encode_s, self.decode_s) * (1.0 - single)
        return lines

    def fastest(self, rate: Floats) -> Ints:
        """[B, M]: the number of the codec that arrives first over links of so many bits a second."""
        links = np.stack([_inverse(rate), np.ones(len(rate))])
        lines = np.matmul(self._lines, links)
        seconds = np.maximum(lines[:, 0], lines[:, 1])
        if not self.usable.all():
            seconds[~self.usable] = math.inf
        chosen: Ints = seconds.argmin(axis=0)
        return chosen

    def soonest(self, links: LinkArrays, rate: Floats) -> Floats:
        """[B, N, N]: how long each move takes through the codec that arrives first; infinite where none can."""
        per_bit = np.stack([_inverse(rate).ravel(), np.ones(rate.size)])
        best = np.full((len(self.parts), rate.size), math.inf)
        both, whole = np.empty((2, *best.shape)), bool(self.usable.all())
        for lines, usable in zip(self._lines, self.usable, strict=True):
            np.matmul(
                lines, per_bit, out=both
            )  # a product this small does not make the library start threads
            slower = np.maximum(both[0], both[1], out=both[0])
            if not whole:
                slower[~usable] = math.inf
            np.minimum(best, slower, out=best)
        best += np.where(rate > 0, links.rtt_s, math.inf).ravel()
        best[:, :: len(rate) + 1] = 0.0
        return best.reshape(-1, *rate.shape)


def _inverse(rate: Floats) -> Floats:
    return np.divide(1.0, rate, out=np.zeros(rate.shape), where=rate > 0)


def _parts(view: PlanView) -> Floats:
    """[B] from step 0 on: in how many parts each state is coded; the steps of a stage share one spec."""
    runs = [list(run) for _, run in groupby((view.workload.spec_after(-1), *view.workload.specs), key=id)]
    parts = np.array([run[0].raw_bytes for run in runs]) // PART_RAW_BYTES + 1.0
    return parts.repeat([len(run) for run in runs])


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
    steps = view.workload.steps
    cannot = (math.inf,) * steps
    table = _packed([each.step_s or cannot for each in known], steps)[:, view.start_step :].T
    return np.where(table >= 0, table, math.inf)


def entry_seconds(view: PlanView, known: Sequence[NodeEstimate]) -> Floats:
    """[B, N]: seconds of computing besides, where the state arrives at a node from another one."""
    steps = view.workload.steps
    table = np.zeros((steps - view.start_step + 1, len(known)))
    if any(each.entry_s for each in known):
        nothing = (0.0,) * steps
        table[:-1] = _packed([each.entry_s or nothing for each in known], steps)[:, view.start_step :].T
        table[~((table >= 0) & (table < math.inf))] = 0.0
    return table


def _packed(rows: Sequence[Sequence[float]], length: int) -> Floats:
    """Rows of Python's numbers as an array: four times as fast as numpy's own conversion."""
    pack = struct.Struct(f"{length}d").pack
    return np.frombuffer(b"".join([pack(*row) for row in rows])).reshape(len(rows), length)
