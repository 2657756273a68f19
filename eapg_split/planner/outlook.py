"""From what is known of nodes, links and codecs to the estimates that plans are priced with, again at every look."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from eapg_split.codecs import codec_named
from eapg_split.codecs.auto import CANDIDATES
from eapg_split.codecs.base import DEFAULT_FIDELITY, Codec, Fidelity
from eapg_split.codecs.choice import Candidate
from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.request import Privacy
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Stage, StageKind, Workload
from eapg_split.planner.drift import Drift
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.planner.priors import (
    ACTIVE_W,
    BATTERY_J,
    IDLE_W,
    RADIO,
    assumed_cost,
    assumed_link,
)

STALE_S: Final = 30.0  # telemetry that is older says nothing any more
_LEAST_CLOCK: Final = 0.05
_LEAST_SHARE: Final = 0.5  # of a busy processor: the system shares it fairly between others and us
_PROMPT_BYTES: Final = 300  # the order that the prompt travels in
_UNKNOWN: Final = Telemetry()


@dataclass(frozen=True, slots=True)
class NodeKnowledge:
    """What is known of one node; without anything, the priors of its tier stand in.

    `telemetry_age_s` is how old the newest telemetry is. `ours` says that the node computes for this very job: then its
    load and its queue are our own, and nothing to wait for.
    """

    profile: Profile | None = None
    telemetry: Telemetry | None = None
    telemetry_age_s: float = math.inf
    price_per_s: float = 0.0
    battery_floor: float = 0.15  # share of the charge that a job does not touch
    max_entropy_bits: float = (
        math.inf
    )  # a limit that the node declares, besides what its battery and heat allow
    lease_s: float = 0.0  # until a reservation on it begins
    ours: bool = False
    heat: ThermalModel | None = None  # how it warms, where somebody knows: by default it does not

    @property
    def now(self) -> Telemetry:
        """The telemetry, or one in which all is unknown where it is missing or stale."""
        fresh = self.telemetry is not None and self.telemetry_age_s <= STALE_S
        return self.telemetry if self.telemetry is not None and fresh else _UNKNOWN


@dataclass(frozen=True, slots=True)
class CodecOption:
    """One way across a cut. `name` is what the plan will say; speeds are raw bytes a second."""

    name: str
    codec: Codec
    encode_bytes_per_s: float
    decode_bytes_per_s: float

    def eligible(self, workload: Workload, step: int, fidelity: Fidelity) -> bool:
        """Whether it may be used for the state after a step, as fine as that is wanted."""
        if self.name == self.codec.name:
            return True  # a person asked for it
        return Candidate.of(self.codec, None).eligible(workload.specs[step], fidelity)


def codec_options(name: str) -> tuple[CodecOption, ...]:
    """The ways across a cut that a job with `--codec name` may choose from. Raises InvalidRequest for an unknown one.

    `auto` is whichever of its candidates is the fastest, so each of them stands for it, under its name.
    """
    chosen = codec_named(name)
    codecs = CANDIDATES if name == "auto" else (chosen,)
    speeds = [Candidate.of(codec, None).speed for codec in codecs]
    return tuple(
        CodecOption(name, codec, speed.encode, speed.decode)
        for codec, speed in zip(codecs, speeds, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Power:
    active_w: float = 0.0
    idle_w: float = 0.0
    battery_j: float = math.inf


class Outlook:
    """One for each job: keeps what does not change while it runs, so that a new look is cheap.

    `fidelities` has what a lossy codec may do to the state after each step; without it the codecs' defaults hold.
    """

    def __init__(
        self,
        workload: Workload,
        topology: Topology,
        options: Sequence[CodecOption],
        *,
        fidelities: Sequence[Fidelity] = (),
        privacy: Privacy = Privacy.PROMPT_LOCAL,
    ) -> None:
        self._workload = workload
        self._topology = topology
        self._privacy = privacy
        fidelities = fidelities or [DEFAULT_FIDELITY] * workload.steps
        self._codecs = tuple(_codec_estimate(workload, option, fidelities) for option in options)

    def estimates(
        self,
        nodes: Mapping[NodeId, NodeKnowledge],
        links: Mapping[tuple[NodeId, NodeId], LinkEstimate | None],
        *,
        drift: Drift | None = None,
        start_step: int = 0,
    ) -> Estimates:
        """What to believe now of every node of the topology, from `start_step` on.

        A link that `links` does not name cannot be used; None stands for one of which nothing is known yet. A NaN in a
        link's estimate is replaced by the prior's figure, and a link without any rate is left out.
        """
        drift = drift or Drift()
        known = {
            node.id: self._node(node, nodes.get(node.id, NodeKnowledge()), drift, start_step)
            for node in self._topology.nodes
        }
        device_drains = math.isfinite(known[self._topology.device.id].battery_j)
        by_id = {node.id: node for node in self._topology.nodes}
        usable = {}
        for (source, target), link in links.items():
            if source in by_id and target in by_id and source != target:
                estimate = _link(link, by_id[source].tier, by_id[target].tier, on_battery=device_drains)
                if estimate.bits_per_s > 0:
                    usable[source, target] = estimate
        return Estimates(known, usable, self._codecs)

    def step_seconds(
        self, node: NodeId, knowledge: NodeKnowledge, step: int, *, arrived: bool = False
    ) -> float:
        """What one step should take there now, without any drift: what `Drift.observe` is to be told.

        `arrived` says that the state came from another node just before it.
        """
        stage = self._workload.stage_of(step)
        cost = _cost(knowledge.profile, stage.name, self._topology.node(node).tier)
        entry = cost.entry_seconds(stage.entry_flops) if arrived or step == stage.start_step else 0.0
        return (cost.seconds(stage.flops_per_step) + entry) * _slowdown(knowledge)

    def guessed(self, node: NodeId, knowledge: NodeKnowledge, step: int) -> bool:
        """Whether `step_seconds` is a guess rather than a measurement: `Drift.observe` wants to know."""
        stage = self._workload.stage_of(step)
        return _cost(knowledge.profile, stage.name, self._topology.node(node).tier).uncertain

    def _node(self, node: Node, knowledge: NodeKnowledge, drift: Drift, start_step: int) -> NodeEstimate:
        stages, now = self._workload.stages, knowledge.now
        costs = {stage.name: _cost(knowledge.profile, stage.name, node.tier) for stage in stages}
        slowdown = _slowdown(knowledge)
        load_s = self._load_seconds(node, costs, now, start_step)
        step_s: list[float] = []
        entry_s: list[float] = []
        for stage in stages:
            cost, count = costs[stage.name], stage.stop_step - stage.start_step
            factor = slowdown * drift.factor(node.id, stage.name)
            step = cost.seconds(stage.flops_per_step) * factor
            entry = cost.entry_seconds(stage.entry_flops) * factor
            if _lacks_memory(node, stage, now):
                step = math.inf
            step_s += [step + entry, *[step] * (count - 1)]
            entry_s += [0.0, *[entry] * (count - 1)]
            if node.tier is Tier.DEVICE and stage.name in load_s:  # nobody loads ahead for itself
                step_s[max(stage.start_step, start_step)] += load_s[stage.name]
        queue_s = 0.0 if knowledge.ours else now.queue_s.or_else(0.0)
        power = _power(knowledge, costs)
        return NodeEstimate(
            step_s=tuple(step_s),
            entry_s=tuple(entry_s),
            charge=now.charge.value,
            heat=knowledge.heat,
            ready_s=max(queue_s, knowledge.lease_s)
            + (0.0 if node.tier is Tier.DEVICE else sum(load_s.values())),
            active_w=power.active_w,
            idle_w=power.idle_w,
            price_per_s=knowledge.price_per_s,
            battery_j=power.battery_j,
            max_entropy_bits=knowledge.max_entropy_bits,
            temperature_c=now.temperature_c.value,
            uncertain=any(cost.uncertain for cost in costs.values()),
        )

    def _load_seconds(
        self, node: Node, costs: Mapping[str, StageCost], now: Telemetry, start_step: int
    ) -> dict[str, float]:
        """By stage, what it takes to load the weights that neither are there nor came with a stage before it.

        Only stages that are still to be computed, and that the node may compute.
        """
        resident = set(now.resident)
        found = {}
        for stage in self._workload.stages:
            if stage.stop_step <= start_step or not self._may_run(node, stage):
                continue
            missing = [part for part in stage.parts if part not in resident]
            if missing:
                found[stage.name] = costs[stage.name].load_s * len(missing) / len(stage.parts)
                resident.update(missing)
        return found

    def _may_run(self, node: Node, stage: Stage) -> bool:
        if node.tier is Tier.DEVICE:
            return True
        hidden = stage.sees_text and self._privacy is Privacy.PROMPT_LOCAL
        return stage.kind is not StageKind.DECODE and not hidden


def _cost(profile: Profile | None, stage: str, tier: Tier) -> StageCost:
    """As measured; like the node's slowest stage where this one was not; the prior of the tier without a profile."""
    measured = profile.stages if profile is not None else {}
    if stage in measured:
        return measured[stage]
    if measured:
        return replace(min(measured.values(), key=lambda cost: cost.flops_per_s), uncertain=True)
    return assumed_cost(tier)


def _slowdown(knowledge: NodeKnowledge) -> float:
    """How much longer steps take than on an idle processor at full clock."""
    now = knowledge.now
    clock = min(1.0, max(_LEAST_CLOCK, now.clock_ratio.or_else(1.0)))
    others = 0.0 if knowledge.ours else now.load.or_else(0.0)
    return 1 / (clock * max(_LEAST_SHARE, 1.0 - others))


def _lacks_memory(node: Node, stage: Stage, now: Telemetry) -> bool:
    """The device is never ruled out: it is the last one that is left, and what it lacks may still be swapped."""
    return node.tier is not Tier.DEVICE and stage.memory_bytes > now.memory_free_bytes.or_else(math.inf)


def _power(knowledge: NodeKnowledge, costs: Mapping[str, StageCost]) -> _Power:
    """On mains, and where nobody knows, energy is not the node's concern."""
    now = knowledge.now
    if now.plugged.or_else(1.0) >= 0.5 or not now.charge.known:
        return _Power()
    watts = [cost.joules_per_s for cost in costs.values() if cost.joules_per_s is not None]
    active_w = sum(watts) / len(watts) if watts else ACTIVE_W
    left = max(0.0, now.charge.value - knowledge.battery_floor) * BATTERY_J
    return _Power(active_w, min(IDLE_W, active_w), left)


def _link(link: LinkEstimate | None, source: Tier, target: Tier, *, on_battery: bool) -> LinkEstimate:
    prior = assumed_link(source, target)
    found = link or prior
    joules = found.joules_per_byte if on_battery else 0.0
    if on_battery and not joules and Tier.DEVICE in (source, target):
        joules = (RADIO.sending if source is Tier.DEVICE else RADIO.receiving).joules_per_byte
    return LinkEstimate(
        prior.bits_per_s if math.isnan(found.bits_per_s) else found.bits_per_s,
        prior.rtt_s if math.isnan(found.rtt_s) else found.rtt_s,
        prior.sigma if math.isnan(found.sigma) else found.sigma,
        joules,
    )


def _codec_estimate(workload: Workload, option: CodecOption, fidelities: Sequence[Fidelity]) -> CodecEstimate:
    """Bits and processor time at the boundaries 0 to S; before step 0 only the prompt travels."""
    prompt = 8.0 * (_PROMPT_BYTES + len(workload.request.prompt.encode()))
    bits, encode_s, decode_s = [prompt], [0.0], [0.0]
    for step in range(workload.steps):
        spec, fidelity = workload.specs[step], fidelities[step]
        usable = option.eligible(workload, step, fidelity)
        bits.append(option.codec.estimate_bits(spec, fidelity) if usable else math.inf)
        encode_s.append(spec.raw_bytes / option.encode_bytes_per_s)
        decode_s.append(spec.raw_bytes / option.decode_bytes_per_s)
    return CodecEstimate(option.name, tuple(bits), tuple(encode_s), tuple(decode_s))
