"""One job at a time over links that follow traces: what a policy makes of it, and the best that was possible.

A policy sees what it would see live: goodput of what the job itself transferred, and short probes when what is known
has become old; never the trace. Costs are seconds; a codec's loss of quality counts as seconds too, as it did where
the acceptance figures come from.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.plan import Plan
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Geometry, Stage, StageKind, Workload
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.estimators import BandwidthEstimator, far
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import (
    LearningPolicy,
    Objective,
    Occasion,
    PlanView,
    Policy,
    RevisingPolicy,
    StepMeasured,
    Transfer,
    TransferMeasured,
    Trigger,
)
from eapg_split.planner.probe_budget import DARK_BITS_PER_S, ProbeBudget, due_after_s
from simulations.traces import RateTrace

DEVICE, EDGE, CLOUD = NodeId("device"), NodeId("edge"), NodeId("cloud")
NODES: Final = (DEVICE, EDGE, CLOUD)
RTT_S: Final = {(DEVICE, EDGE): 0.03, (DEVICE, CLOUD): 0.06, (EDGE, CLOUD): 0.02}
BACKHAUL_BIT_S: Final = 400e6
DOWN_FACTOR: Final = 3.0  # the way to the device is so much faster than the one from it
PROBE_BITS: Final = 8 * 64 * 1024
PING_BITS: Final = 8 * 1024
PROBE_PATIENCE_S: Final = 0.2
_LEAST_SAMPLE_BITS: Final = 8 * 64 * 1024
_STALLED_LOOK_S: Final = 1.0
_STALL_S: Final = 2.0
_MAX_LOOKS: Final = 600  # at one transfer


@dataclass(frozen=True)
class Codec:
    """Its size beside raw bits, seconds for a MB (both ends together), and seconds that its loss of quality counts."""

    name: str
    ratio: float
    s_per_mb: float
    penalty_s: float


CODECS: Final = (
    Codec("lossless", 1.0, 0.0, 0.0),
    Codec("int8", 0.5, 0.02, 0.2),
    Codec("clean", 0.22, 0.08, 1.5),
)


@dataclass(frozen=True)
class Setting:
    """A job and who could do it: seconds of a step on the device and MB of the state, stage by stage, and speeds."""

    device_s: tuple[float, ...] = (0.3, 1.0, 2.5, 2.5, 3.0)
    state_mb: tuple[float, ...] = (0.5, 2.0, 8.0, 8.0, 8.0)
    speeds: tuple[float, ...] = (1.0, 3.0, 8.0)
    steps: tuple[int, ...] = (10, 10, 8, 8, 1)
    privacy: Privacy = Privacy.ANY  # prompt-local keeps the first two stages on the device

    def workload(self) -> Workload:
        stages, start = [], 0
        for index, count in enumerate(self.steps):
            last = index == len(self.steps) - 1
            kind = StageKind.DECODE if last else StageKind.DENOISE
            name = "decode" if last else f"stage{index + 1}"
            geometry = Geometry(24, 64, 64, 1)
            stages.append(Stage(name, kind, start, start + count, index < 2, geometry, 1e9, 1, (name,)))
            start += count
        return Workload(Request("a replay", privacy=self.privacy), tuple(stages), (LatentSpec(),) * start)

    def step_s(self, node: NodeId) -> tuple[float, ...]:
        speed = self.speeds[NODES.index(node)]
        seconds = [
            each / speed for each, count in zip(self.device_s, self.steps, strict=True) for _ in range(count)
        ]
        if node != DEVICE:
            seconds[-1] = math.inf
            if self.privacy is Privacy.PROMPT_LOCAL:
                kept = sum(self.steps[:2])
                seconds[:kept] = [math.inf] * kept
        return tuple(seconds)

    def state_bits(self) -> tuple[float, ...]:
        """Raw bits of the state at each boundary."""
        sizes = [mb for mb, count in zip(self.state_mb, self.steps, strict=True) for _ in range(count)]
        return tuple(8e6 * mb for mb in [*sizes, self.state_mb[-1]])


class World:
    """One setting over one trace of the uplink. Nodes are known exactly, links as far as they were seen."""

    def __init__(self, setting: Setting, trace: RateTrace) -> None:
        self.workload = setting.workload()
        self.bits = setting.state_bits()
        self.step_s = {node: setting.step_s(node) for node in NODES}
        self.up, self.down = trace, trace.scaled(DOWN_FACTOR)
        names = tuple(codec.name for codec in CODECS)
        tiers = (Tier.DEVICE, Tier.EDGE, Tier.CLOUD)
        self.topology = Topology(
            tuple(Node(each, tier, codecs=(*names, "auto")) for each, tier in zip(NODES, tiers, strict=True))
        )
        self.codecs = tuple(self._codec(codec) for codec in CODECS)
        self.nodes = {node: NodeEstimate(self.step_s[node]) for node in NODES}

    def _codec(self, codec: Codec) -> CodecEstimate:
        coding = [codec.s_per_mb * bits / 8e6 + codec.penalty_s for bits in self.bits]
        zeros = (0.0,) * len(self.bits)
        return CodecEstimate(
            codec.name, tuple(codec.ratio * bits for bits in self.bits), zeros, tuple(coding)
        )

    def trace(self, source: NodeId, target: NodeId) -> RateTrace | None:
        """What the rate of a link follows; None between the edge and the cloud, where it is constant."""
        return self.up if source == DEVICE else self.down if target == DEVICE else None

    def sent_at(self, source: NodeId, target: NodeId, now_s: float, bits: float) -> float:
        """When the last bit has left that begins to leave now."""
        trace = self.trace(source, target)
        return now_s + bits / BACKHAUL_BIT_S if trace is None else trace.arrival(now_s, bits)

    def oracle_s(self, start_s: float) -> float:
        """The least time from `start_s` on for whoever knows the trace: earliest arrivals, exact as links are FIFO."""
        arrived = {DEVICE: start_s}
        for step in range(self.workload.steps):
            reached: dict[NodeId, float] = {}
            for target in NODES:
                if math.isinf(self.step_s[target][step]):
                    continue
                ways = [self._moved(source, target, step, at) for source, at in arrived.items()]
                reached[target] = min(ways) + self.step_s[target][step]
            arrived = reached
        return arrived[DEVICE] - start_s

    def _moved(self, source: NodeId, target: NodeId, step: int, now_s: float) -> float:
        if source == target:
            return now_s
        sent = [
            self.sent_at(source, target, now_s, codec.bits[step]) + codec.decode_s[step]
            for codec in self.codecs
        ]
        return min(sent) + rtt_s(source, target)


def rtt_s(source: NodeId, target: NodeId) -> float:
    """Both directions alike."""
    return RTT_S.get((source, target)) or RTT_S[target, source]


@dataclass
class Outcome:
    """What became of a job: its seconds, how often the plan was changed, and transfers given up."""

    seconds: float
    switches: int = 0
    moves: int = 0
    aborts: int = 0
    probes: int = 0


@dataclass
class Run:
    """One job under one policy."""

    world: World
    policy: Policy
    estimators: Mapping[tuple[str, str], BandwidthEstimator]  # "up" and "down" of each remote
    start_s: float
    now_s: float = 0.0
    at: NodeId = DEVICE
    seen: dict[str, float] = field(
        default_factory=lambda: {"up": math.inf, "down": math.inf}
    )  # last of each way
    done: Outcome = field(default_factory=lambda: Outcome(0.0))
    doubtful: bool = False  # whether the last probe was far off

    def __post_init__(self) -> None:
        self.budget = ProbeBudget(lambda: self.now_s)

    def finish(self) -> Outcome:
        """Runs the job to its end."""
        self.now_s = self.start_s
        self._probe()
        plan = self.policy.plan(self._view(0))
        step, steps = 0, self.world.workload.steps
        while step < steps:
            if step:
                self._probe()
                plan = self._revised(plan, step, Occasion(Trigger.STEP, "a step was finished"), None) or plan
            target = plan.segment_at(step).node
            if target != self.at:
                given_up = self._transfer(plan, step, target)
                if given_up is not None:
                    plan = given_up
                    continue
                self.at = target
                self.done.moves += 1
            seconds = self.world.step_s[self.at][step]
            self._learn(StepMeasured(self.at, step, seconds))
            self.now_s += seconds
            step += 1
        self.done.seconds = self.now_s - self.start_s
        return self.done

    def _revised(self, plan: Plan, step: int, occasion: Occasion, in_flight: Transfer | None) -> Plan | None:
        if not isinstance(self.policy, RevisingPolicy):
            return None
        view = self._view(step, in_flight)
        current = rest_of(view, plan)
        revision = self.policy.revise(view, current, occasion)
        if revision.plan is not None and placement(revision.plan) != placement(current):
            self.done.switches += 1
        return revision.plan

    def _transfer(self, plan: Plan, step: int, target: NodeId) -> Plan | None:
        """Moves the state; the plan to go on with where that is given up."""
        codec = self._codec(step, target)
        began, bits = self.now_s, codec.bits[step]
        arrives = self.world.sent_at(self.at, target, began, bits)
        trace, way = self.world.trace(self.at, target), "up" if self.at == DEVICE else "down"
        seen_s, seen_bits = began, 0.0
        for look in range(_MAX_LOOKS):
            now = began + _STALL_S + look * _STALLED_LOOK_S
            if trace is None or now >= arrives:
                break
            sent = trace.carried(now) - trace.carried(began)
            if sent - seen_bits >= _LEAST_SAMPLE_BITS or now - seen_s >= _STALL_S:
                self._observe(way, max(sent - seen_bits, 1.0) / (now - seen_s), now)
                seen_s, seen_bits = now, sent
            self.now_s = now
            stalled = now - seen_s if sent == seen_bits else 0.0
            flight = Transfer(self.at, target, int((bits - sent) / 8), stalled)
            occasion = Occasion(Trigger.STALL, "a transfer takes long", target)
            other = self._revised(plan, step, occasion, flight)
            if other is not None:
                self.done.aborts += 1
                return other
        if bits - seen_bits >= _LEAST_SAMPLE_BITS and trace is not None:
            self._observe(way, (bits - seen_bits) / max(arrives - seen_s, 1e-6), arrives)
        self._learn(TransferMeasured(self.at, target, int(bits / 8), max(arrives - began, 1e-6)))
        self.now_s = arrives + rtt_s(self.at, target) + codec.decode_s[step]
        return None

    def _learn(self, measurement: StepMeasured | TransferMeasured) -> None:
        if isinstance(self.policy, LearningPolicy):
            self.policy.observe(measurement)

    def _codec(self, step: int, target: NodeId) -> CodecEstimate:
        """What `auto` takes: the cheapest by what is believed of the link."""
        link = self._links()[self.at, target]
        return min(
            self.world.codecs, key=lambda codec: codec.bits[step] / link.bits_per_s + codec.decode_s[step]
        )

    def _observe(self, way: str, bits_per_s: float, at_s: float, weight: float = 1.0) -> None:
        """The radio is what both remotes share."""
        self.seen[way] = bits_per_s
        for node in (EDGE, CLOUD):
            self.estimators[way, node].observe(bits_per_s, at_s, weight)

    def _probe(self) -> None:
        """A short train where what is known is old, within the budget; waited for only before the first plan."""
        dark = min(self.seen.values()) < DARK_BITS_PER_S
        age_s = self.estimators["up", EDGE].estimate(self.now_s).age_s
        if age_s < due_after_s(self.seen.values(), doubtful=self.doubtful):
            return
        if dark and not self._answers():
            return
        believed = self.estimators["up", EDGE].estimate(self.now_s).bits_per_s
        if not self.budget.take(EDGE, 2 * PROBE_BITS // 8, believed):
            return
        self.done.probes += 1
        first, began = self.now_s == self.start_s, self.now_s
        self.doubtful = False
        for way, trace in (("up", self.world.up), ("down", self.world.down)):
            end = min(trace.arrival(began, PROBE_BITS), began + PROBE_PATIENCE_S)
            bits = max(1.0, trace.carried(end) - trace.carried(began))
            rate = bits / (end - began)
            self._observe(way, rate, end, min(1.0, bits / _LEAST_SAMPLE_BITS))
            self.doubtful |= far(rate, self.estimators[way, EDGE].estimate(end).bits_per_s)
            self.now_s = max(self.now_s, end) if first else began

    def _answers(self) -> bool:
        """Whether a small message comes back in time from a link that carried next to nothing when last seen."""
        believed = self.estimators["up", EDGE].estimate(self.now_s).bits_per_s
        if not self.budget.take(EDGE, 2 * PING_BITS // 8, believed):
            return False
        back = self.world.up.arrival(self.now_s, PING_BITS) + rtt_s(DEVICE, EDGE)
        if back <= self.now_s + PROBE_PATIENCE_S:
            return True
        self._observe("up", self.world.up.at(self.now_s), self.now_s, PING_BITS / _LEAST_SAMPLE_BITS)
        return False

    def _links(self) -> dict[tuple[NodeId, NodeId], LinkEstimate]:
        links = {pair: LinkEstimate(BACKHAUL_BIT_S, rtt_s(*pair)) for pair in ((EDGE, CLOUD), (CLOUD, EDGE))}
        for node in (EDGE, CLOUD):
            for way, pair in (("up", (DEVICE, node)), ("down", (node, DEVICE))):
                rate = self.estimators[way, node].estimate(self.now_s)
                links[pair] = LinkEstimate(rate.bits_per_s, rtt_s(*pair), rate.sigma)
        return links

    def _view(self, step: int, in_flight: Transfer | None = None) -> PlanView:
        world = self.world
        return PlanView(
            world.workload,
            world.topology,
            step,
            Objective(world.workload.request.privacy, "auto"),
            estimates=Estimates(world.nodes, self._links(), world.codecs),
            at=self.at,
            now_s=self.now_s - self.start_s,
            in_flight=in_flight,
        )


def placement(plan: Plan) -> tuple[tuple[NodeId, int], ...]:
    """Who stops where: what a switch changes."""
    return tuple((segment.node, segment.stop_step) for segment in plan.segments)
