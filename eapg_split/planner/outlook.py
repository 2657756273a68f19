"""From what is known of nodes, links and codecs to the estimates that plans are priced with, again at every look."""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final, Self

from eapg_split.codecs import codec_named
from eapg_split.codecs.auto import CANDIDATES
from eapg_split.codecs.base import DEFAULT_FIDELITY, Codec, Fidelity
from eapg_split.codecs.choice import Candidate
from eapg_split.codecs.clean import CleanCodec
from eapg_split.domain.profile import StageCost
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Stage, Workload
from eapg_split.planner.drift import Drift
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.legality import bound_to_device
from eapg_split.planner.models.entropy_budget import TIER_BITS, EntropyBudget
from eapg_split.planner.policy import Objective
from eapg_split.planner.priors import RADIO, assumed_link

_PROMPT_BYTES: Final = 300  # the order that the prompt travels in
_INFORMATION: Final = CleanCodec()  # what it takes is about what there is in a state
_AMPLE: Final = (
    1.25  # times the largest state of a job: a node takes on that as well until it is at four fifths
)
_ANY: Final = Objective()


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


class Outlook:
    """One for each job: keeps what does not change while it runs, so that a new look is cheap.

    `fidelities` has what a lossy codec may do to the state after each step; without it the codecs' defaults hold. Of
    the objective the privacy, the pins and the caps count. Each look follows the one before, for entropy budgets have
    hysteresis.
    """

    def __init__(
        self,
        workload: Workload,
        topology: Topology,
        options: Sequence[CodecOption],
        *,
        fidelities: Sequence[Fidelity] = (),
        objective: Objective = _ANY,
    ) -> None:
        self._workload = workload
        self._topology = topology
        self._objective = objective
        fidelities = fidelities or [DEFAULT_FIDELITY] * workload.steps
        self.codecs = tuple(_codec_estimate(workload, option, fidelities) for option in options)
        specs = zip(workload.specs, fidelities, strict=True)
        self._entropy_bits = (0.0, *(_INFORMATION.estimate_bits(*each) for each in specs))
        self._budgets = self._full_budgets()

    def anew(self, topology: Topology) -> Self:
        """The same for a job that begins now, perhaps elsewhere: what was worked out for all of them is shared."""
        other = copy(self)
        other._topology = topology
        other._budgets = other._full_budgets()
        return other

    def _full_budgets(self) -> dict[NodeId, EntropyBudget]:
        ample = _AMPLE * max(self._entropy_bits)  # whoever is full and cool takes on anything
        return {
            node.id: EntropyBudget(node.tier, max(ample, TIER_BITS[node.tier]))
            for node in self._topology.nodes
        }

    def estimates(
        self,
        nodes: Mapping[NodeId, NodeKnowledge],
        links: Mapping[tuple[NodeId, NodeId], LinkEstimate | None],
        *,
        drift: Drift | None = None,
        start_step: int = 0,
        unavailable: frozenset[NodeId] = frozenset(),
    ) -> Estimates:
        """What to believe now of every node of the topology, from `start_step` on.

        A link that `links` does not name cannot be used; None stands for one of which nothing is known yet. A NaN in a
        link's estimate is replaced by the prior's figure, and a link without any rate is left out. The device's entropy
        budget holds only while another node can take what it refuses.
        """
        drift = drift or Drift()
        known = {
            node.id: self._node(node, nodes.get(node.id, NodeKnowledge()), drift, start_step)
            for node in self._topology.nodes
        }
        device = self._topology.device.id
        drains = math.isfinite(known[device].battery_j)
        tiers = {node.id: node.tier for node in self._topology.nodes}
        usable = {}
        for (source, target), link in links.items():
            if source in tiers and target in tiers and source != target:
                estimate = _link(link, tiers[source], tiers[target], on_battery=drains)
                if estimate.bits_per_s > 0:
                    usable[source, target] = estimate
        if not self._relieved(known, usable, unavailable, start_step):
            declared = nodes.get(device, NodeKnowledge()).max_entropy_bits
            known[device] = replace(known[device], max_entropy_bits=declared)
        return Estimates(known, usable, self.codecs, self._entropy_bits)

    def _relieved(
        self,
        known: Mapping[NodeId, NodeEstimate],
        links: Mapping[tuple[NodeId, NodeId], LinkEstimate],
        unavailable: frozenset[NodeId],
        start_step: int,
    ) -> bool:
        """Whether some other node could compute all that the device need not: else the device must, at any charge."""
        device = self._topology.device.id
        stages = [stage for stage in self._workload.stages if stage.stop_step > start_step]
        for node in self._topology.nodes:
            movable = [stage for stage in stages if self._may_run(node, stage)]
            pinned = any(self._objective.pins.get(stage.name, node.id) != node.id for stage in movable)
            caps = [self._objective.memory_caps.get(node.id), node.memory_bytes]
            room = min((cap for cap in caps if cap is not None), default=math.inf)
            steps = [
                step
                for stage in movable
                for step in range(max(stage.start_step, start_step), stage.stop_step)
            ]
            if (
                node.id != device
                and node.id not in unavailable
                and {(device, node.id), (node.id, device)} <= links.keys()
                and not pinned
                and all(stage.memory_bytes <= room for stage in movable)
                and all(
                    self._entropy_bits[step] <= known[node.id].max_entropy_bits
                    and known[node.id].step_s[step] < math.inf
                    for step in steps
                )
            ):
                return True
        return False

    def step_seconds(
        self, node: NodeId, knowledge: NodeKnowledge, step: int, *, arrived: bool = False
    ) -> float:
        """What one step should take there now, without any drift: what `Drift.observe` is to be told.

        `arrived` says that the state came from another node just before it.
        """
        stage = self._workload.stage_of(step)
        cost = knowledge.cost(stage.name, self._topology.node(node).tier)
        entry = cost.entry_seconds(stage.entry_flops) if arrived or step == stage.start_step else 0.0
        return (cost.seconds(stage.flops_per_step) + entry) * knowledge.slowdown

    def guessed(self, node: NodeId, knowledge: NodeKnowledge, step: int) -> bool:
        """Whether `step_seconds` is a guess rather than a measurement: `Drift.observe` wants to know."""
        stage = self._workload.stage_of(step)
        return knowledge.cost(stage.name, self._topology.node(node).tier).uncertain

    def _node(self, node: Node, knowledge: NodeKnowledge, drift: Drift, start_step: int) -> NodeEstimate:
        stages, now = self._workload.stages, knowledge.now
        costs = {stage.name: knowledge.cost(stage.name, node.tier) for stage in stages}
        slowdown = knowledge.slowdown
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
        power = knowledge.power(costs.values())
        ahead_s = 0.0 if node.tier is Tier.DEVICE else sum(load_s.values())
        return NodeEstimate(
            step_s=tuple(step_s),
            entry_s=tuple(entry_s),
            charge=now.charge.value,
            heat=knowledge.warming,
            ready_s=knowledge.waits_s + ahead_s,
            active_w=power.active_w,
            idle_w=power.idle_w,
            price_per_s=knowledge.price_per_s,
            battery_j=power.battery_j,
            max_entropy_bits=min(knowledge.max_entropy_bits, self._budgets[node.id].seen(now)),
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
        return node.tier is Tier.DEVICE or not bound_to_device(self._objective, stage)


def _lacks_memory(node: Node, stage: Stage, now: Telemetry) -> bool:
    """The device is never ruled out: it is the last one that is left, and what it lacks may still be swapped."""
    return node.tier is not Tier.DEVICE and stage.memory_bytes > now.memory_free_bytes.or_else(math.inf)


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
