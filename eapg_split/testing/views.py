"""Situations to plan in: random ones that could be real, and hostile ones that a policy must survive."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from random import Random
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.legality import bound_to_device
from eapg_split.planner.policy import Goal, Objective, PlanView, StepMeasured, TransferMeasured

DEVICE: Final = NodeId("device")
_CODECS: Final = ("auto", "lossless", "clean", "int8")
# flops a second that the workload's own estimates are divided by, from a phone to a server
_SPEED: Final[Mapping[Tier, tuple[float, float]]] = {
    Tier.DEVICE: (5e9, 80e9),
    Tier.EDGE: (20e9, 400e9),
    Tier.CLOUD: (60e9, 3e12),
}
# what sensors and queues tell of a node; the rest was measured by running
_TOLD: Final = (
    "ready_s", "active_w", "idle_w", "price_per_s", "battery_j", "max_entropy_bits", "temperature_c", "charge"
)  # fmt: skip
_BITS_PER_NUMBER: Final = {"lossless": 20.0, "clean": 4.0, "int8": 6.0}


def random_view(seed: int) -> PlanView:
    """One situation of one to six nodes, at the start of a job or within it; equal for equal seeds.

    Everything in it is plausible: rates of 0.2 to 500 Mbit/s, queues of up to a minute, batteries from full to nearly
    empty. Sometimes a node is unavailable, a stage is pinned, memory is capped, or there is a deadline.
    """
    rng = Random(seed)
    workload = _random_workload(rng)
    nodes = _random_nodes(rng)
    topology = Topology(nodes)
    start = rng.choice((0, 0, rng.randrange(workload.steps)))
    remotes = [node.id for node in nodes[1:]]
    lost = frozenset(node for node in remotes if start and rng.random() < 0.15)
    present = [DEVICE, *(node for node in remotes if node not in lost)]
    objective = _random_objective(rng, workload, present)
    view = PlanView(workload, topology, start, objective, lost, now_s=start * rng.uniform(0.2, 3.0))
    if start and _may_be_away(view, start):
        view = replace(view, at=rng.choice(present))
    return replace(view, estimates=random_estimates(rng, workload, topology, objective.codec))


def random_estimates(rng: Random, workload: Workload, topology: Topology, codec: str) -> Estimates:
    """Plausible estimates of every node and link, and of the codecs that a job with `--codec codec` may use."""
    nodes = {node.id: _random_node_estimate(rng, workload, node) for node in topology.nodes}
    links = {
        (source.id, target.id): LinkEstimate(
            10 ** rng.uniform(5.3, 8.7), rng.uniform(0.001, 0.12), rng.uniform(0.0, 0.6), rng.uniform(0, 4e-7)
        )
        for source, target in permutations(topology.nodes, 2)
        if Tier.DEVICE in (source.tier, target.tier) or rng.random() < 0.7
    }
    names = ("lossless", "clean", "int8") if codec == "auto" else (codec,)
    return Estimates(nodes, links, tuple(_codec_estimate(workload, name) for name in names))


@dataclass(frozen=True)
class Hostile:
    """A situation that a policy must survive: with a legal plan, or with InfeasiblePlan where there may be none."""

    name: str
    view: PlanView


def hostile_views(seed: int = 0) -> Iterator[Hostile]:
    """One node alone, dead links, what is not a number, an empty battery, and the like."""
    base = _calm_view(seed)
    estimates = base.estimates
    assert estimates is not None
    alone = Topology(base.topology.nodes[:1])
    yield Hostile("one node", replace(base, topology=alone))
    gone = frozenset(node.id for node in base.topology.nodes[1:])
    yield Hostile("all remotes unavailable", replace(base, unavailable=gone))
    yield Hostile("nothing measured", replace(base, estimates=None))
    yield Hostile("no links", replace(base, estimates=replace(estimates, links={})))
    yield Hostile("no codecs", replace(base, estimates=replace(estimates, codecs=())))
    yield Hostile("nothing known of the nodes", replace(base, estimates=replace(estimates, nodes={})))
    for name, value in (("zero", 0.0), ("NaN", math.nan), ("infinite", math.inf), ("negative", -1.0)):
        yield Hostile(f"{name} rates", _with_links(base, bits_per_s=value))
        yield Hostile(f"{name} delays", _with_links(base, rtt_s=value, sigma=value))
        yield Hostile(f"{name} telemetry", _with_nodes(base, **dict.fromkeys(_TOLD, value)))
    yield Hostile("empty battery", _with_nodes(base, battery_j=0.0, active_w=8.0))
    empty = replace(base, objective=replace(base.objective, goal=Goal.ENERGY, max_energy_j=0.0))
    yield Hostile("no energy allowed", _with_nodes(empty, active_w=8.0))
    lame = {node: NodeEstimate((math.inf,) * base.workload.steps) for node in estimates.nodes}
    yield Hostile("no node can compute", replace(base, estimates=replace(estimates, nodes=lame)))
    yield Hostile("last step", replace(base, start_step=base.workload.steps - 1))
    yield Hostile("no cuts allowed", replace(base, objective=replace(base.objective, max_cuts=0)))
    pinned = replace(base.objective, pins={"decode": base.topology.nodes[1].id})
    yield Hostile("an impossible pin", replace(base, objective=pinned))


def with_slow_links(view: PlanView, plan: Plan) -> PlanView:
    """The same situation, but every link from the first node that is left is twenty times slower."""
    assert view.estimates is not None
    first = plan.segments[0].node
    links = {
        ends: replace(link, bits_per_s=link.bits_per_s / 20) if ends[0] == first else link
        for ends, link in view.estimates.links.items()
    }
    return replace(view, estimates=replace(view.estimates, links=links))


def measured(view: PlanView, plan: Plan) -> Iterator[StepMeasured | TransferMeasured]:
    """What such a job would measure: a little slower than was believed."""
    assert view.estimates is not None
    for segment in plan.segments:
        estimate = view.estimates.nodes[segment.node]
        for step in range(segment.start_step, segment.stop_step):
            yield StepMeasured(segment.node, step, 1.3 * estimate.step_s[step])
    for before, after in zip(plan.segments, plan.segments[1:], strict=False):
        link = view.estimates.links.get((before.node, after.node))
        if link is not None:
            yield TransferMeasured(before.node, after.node, 1_000_000, 8e6 / link.bits_per_s * 1.5)


def _calm_view(seed: int) -> PlanView:
    """Three nodes at the start of a job, nothing wrong yet."""
    rng = Random(f"calm {seed}")
    tiers = (Tier.DEVICE, Tier.EDGE, Tier.CLOUD)
    topology = Topology(tuple(Node(NodeId(tier), tier, codecs=_CODECS) for tier in tiers))
    workload = unroll(Request("A cat running", steps=(2, 2, 2, 2), width=128, height=64, seconds=1.0))
    return PlanView(workload, topology, estimates=random_estimates(rng, workload, topology, "lossless"))


def _random_workload(rng: Random) -> Workload:
    steps = tuple(rng.randint(1, 6) for _ in range(4))
    size = rng.choice(((64, 64), (256, 144), (512, 288)))
    return unroll(
        Request(
            "A cat running",
            seconds=rng.choice((0.5, 2.0, 5.0)),
            fps=rng.choice((8, 24)),
            width=size[0],
            height=size[1],
            steps=steps,  # type: ignore[arg-type]  # four of them
            seed=rng.randrange(1000),
        )
    )


def _random_nodes(rng: Random) -> tuple[Node, ...]:
    nodes = [Node(DEVICE, Tier.DEVICE, codecs=_CODECS)]
    for number in range(rng.choice((0, 1, 2, 2, 3, 5))):
        tier = rng.choice((Tier.EDGE, Tier.CLOUD))
        memory = rng.choice((None, None, 4 << 30, 100 << 20))
        nodes.append(Node(NodeId(f"{tier}-{number}"), tier, codecs=_CODECS, memory_bytes=memory))
    return tuple(nodes)


def _random_objective(rng: Random, workload: Workload, present: list[NodeId]) -> Objective:
    objective = Objective(
        privacy=rng.choice(tuple(Privacy)),
        codec=rng.choice(("lossless", "auto")),
        goal=rng.choice(tuple(Goal)),
    )
    if rng.random() < 0.1:
        objective = replace(objective, pins={rng.choice(("stage3", "stage4")): rng.choice(present)})
    if rng.random() < 0.1:
        objective = replace(objective, memory_caps={rng.choice(present): 2 << 30})
    if rng.random() < 0.2:
        objective = replace(objective, max_cuts=rng.randint(2, 6))
    if rng.random() < 0.2:
        objective = replace(objective, deadline_s=sum(s.flops_per_step for s in workload.stages) / 1e9 + 5.0)
    return objective


def _random_node_estimate(rng: Random, workload: Workload, node: Node) -> NodeEstimate:
    low, high = _SPEED[node.tier]
    speed = math.exp(rng.uniform(math.log(low), math.log(high)))
    own = node.tier is Tier.DEVICE
    step_s, entry_s = list[float](), list[float]()
    for stage in workload.stages:
        step, entry = 0.002 + stage.flops_per_step / speed, stage.entry_flops / speed
        rest = stage.stop_step - stage.start_step - 1
        step_s += [step + entry, *[step] * rest]
        entry_s += [0.0, *[entry] * rest]
    return NodeEstimate(
        step_s=tuple(step_s),
        entry_s=tuple(entry_s),
        ready_s=0.0 if own else rng.choice((0.0, 0.0, rng.uniform(0, 60))),
        active_w=rng.uniform(1, 12) if own else 0.0,
        idle_w=rng.uniform(0.1, 1) if own else 0.0,
        price_per_s=0.0 if own else rng.choice((0.0, rng.uniform(1e-5, 1e-3))),
        battery_j=rng.choice((math.inf, 10 ** rng.uniform(3.5, 4.7))) if own else math.inf,
        temperature_c=rng.uniform(20, 45),
    )


def _codec_estimate(workload: Workload, name: str) -> CodecEstimate:
    sizes = [spec.elements for spec in workload.specs]
    bits = (2400.0, *(_BITS_PER_NUMBER[name] * size for size in sizes))
    seconds = (0.0, *(4 * size / 200e6 for size in sizes))
    return CodecEstimate(name, bits, seconds, seconds)


def _may_be_away(view: PlanView, step: int) -> bool:
    """Whether the state before a step may be on a remote node, had it computed the step before."""
    return not bound_to_device(view.objective, view.workload.stage_of(step - 1))


def _with_links(view: PlanView, **changes: float) -> PlanView:
    """The same view with those fields of every link changed."""
    assert view.estimates is not None
    links = {ends: replace(link, **changes) for ends, link in view.estimates.links.items()}
    return replace(view, estimates=replace(view.estimates, links=links))


def _with_nodes(view: PlanView, **changes: float) -> PlanView:
    """The same view with those fields of every node changed."""
    assert view.estimates is not None
    nodes = {node: replace(estimate, **changes) for node, estimate in view.estimates.nodes.items()}  # type: ignore[arg-type]
    return replace(view, estimates=replace(view.estimates, nodes=nodes))
