"""Random small views: missing links, nodes that cannot, budgets, limits that bind and others that do not."""

import itertools
import math
from dataclasses import replace

import numpy as np

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Geometry, Stage, StageKind, Workload
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.policy import Goal, Objective, PlanView, Transfer

REQUEST = Request("A cat running")
GEOMETRY = Geometry(24.0, 64, 64, 24)


def workload(counts: tuple[int, ...], memory: tuple[int, ...] = ()) -> Workload:
    """Stages of so many steps; the first sees the text, the last decodes."""
    starts = [0, *itertools.accumulate(counts)]
    stages = []
    for number, count in enumerate(counts):
        kind = StageKind.DENOISE
        if number == len(counts) - 1:
            kind = StageKind.DECODE
        elif number == 0:
            kind = StageKind.TEXT
        needs = memory[number] if memory else 10**6
        stages.append(
            Stage(
                f"stage{number}",
                kind,
                starts[number],
                starts[number] + count,
                number == 0,
                GEOMETRY,
                1e9,
                needs,
                (),
            )
        )
    specs = tuple(LatentSpec.of(xbar=(1, 4, 2 + 8 * step, 32, 32)) for step in range(starts[-1] - 1))
    return Workload(REQUEST, tuple(stages), (*specs, LatentSpec()))


def view(
    seed: int, *, counts: tuple[int, ...] | None = None, nodes: int | None = None, codecs: int = 2
) -> PlanView:
    """A view whose every number is drawn from the seed. All goals, no limit but the default ones."""
    random = np.random.default_rng(seed)
    if counts is None:
        counts = tuple(int(n) for n in random.integers(1, 3, size=random.integers(2, 5)))
    load = workload(counts, tuple(int(n) for n in random.integers(1, 9, size=len(counts)) * 10**6))
    number = nodes or int(random.integers(1, 5))
    names = [NodeId(f"n{i}") for i in range(number)]
    tiers = [Tier.DEVICE, *(Tier.EDGE if i % 2 else Tier.CLOUD for i in range(1, number))]
    topology = Topology(
        tuple(
            Node(name, tier, codecs=("auto", "lossless") if random.random() < 0.95 else ("lossless",))
            for name, tier in zip(names, tiers, strict=True)
        )
    )
    objective = Objective(
        Privacy.ANY if random.random() < 0.6 else Privacy.PROMPT_LOCAL,
        "auto" if random.random() < 0.7 else "lossless",
        list(Goal)[int(random.integers(4))],
    )
    return PlanView(load, topology, objective=objective, estimates=estimates(random, load, names, codecs))


def estimates(random: np.random.Generator, load: Workload, names: list[NodeId], codecs: int) -> Estimates:
    steps = load.steps
    nodes = {}
    for number, name in enumerate(names):
        speed = 1.0 if number == 0 else float(random.uniform(0.5, 8))
        step_s = random.uniform(0.2, 2, steps) / speed
        if number:
            step_s[random.random(steps) < 0.05] = math.inf
        entry = random.uniform(0, 0.5, steps) * (random.random() < 0.5)
        on_battery = random.random() < 0.6
        nodes[name] = NodeEstimate(
            tuple(step_s.tolist()),
            active_w=float(random.uniform(2, 8)) * (number == 0),
            idle_w=float(random.uniform(0, 1)) * (number == 0),
            price_per_s=float(random.uniform(0, 0.002)) * (number > 0),
            battery_j=float(random.uniform(200, 500)) if number == 0 and on_battery else math.inf,
            charge=float(random.random()),
            entry_s=tuple(entry.tolist()),
        )
    links = {}
    for source, target in itertools.permutations(names, 2):
        if random.random() < 0.9:
            links[source, target] = LinkEstimate(
                float(10 ** random.uniform(5, 8.5)),
                float(random.uniform(0, 0.1)),
                float(random.uniform(0, 0.6)),
                float(random.uniform(0, 3e-6)) if names[0] in (source, target) else 0.0,
            )
    return Estimates(nodes, links, tuple(codec(random, load, number) for number in range(codecs)))


def codec(random: np.random.Generator, load: Workload, number: int) -> CodecEstimate:
    raw = np.array([100, *(spec.raw_bytes for spec in load.specs)]) * 8.0
    ratio, slow = 0.5**number, 3e-9 * 4**number
    return CodecEstimate(
        "lossless" if number == 0 else "auto",
        tuple((raw * ratio * random.uniform(0.8, 1.2, len(raw))).tolist()),
        tuple((raw * slow).tolist()),
        tuple((raw * slow * 0.5).tolist()),
    )


def limited(base: PlanView, seed: int) -> PlanView:
    """The same view with some of the limits, each tight enough to bind sometimes."""
    random = np.random.default_rng([seed, 1])
    known, names = base.estimates, [node.id for node in base.topology.nodes]
    assert known is not None
    bits = max((max(codec.bits) for codec in known.codecs), default=1e6)

    def sometimes(low: float, high: float, otherwise: float = math.inf) -> float:
        return float(random.uniform(low, high)) if random.random() < 0.3 else otherwise

    objective = replace(
        base.objective,
        deadline_s=sometimes(0.5, 12),
        max_energy_j=sometimes(1, 50),
        max_money=sometimes(0, 0.004),
        max_entropy_bits=sometimes(0.3 * bits, 1.2 * bits),
        max_cuts=int(random.integers(0, 3)) if random.random() < 0.4 else 8,
        pins={"stage1": names[int(random.integers(len(names)))]} if random.random() < 0.15 else {},
        memory_caps={names[-1]: int(random.integers(1, 9)) * 10**6} if random.random() < 0.3 else {},
    )
    nodes = {
        name: replace(
            each,
            ready_s=sometimes(0.1, 6, 0.0),
            battery_j=sometimes(1, 40, each.battery_j),
            active_w=each.active_w or sometimes(2, 5, 0.0),
            max_entropy_bits=sometimes(0.3 * bits, 1.2 * bits),
        )
        for name, each in known.nodes.items()
    }
    gone = frozenset(names[-1:]) if len(names) > 1 and random.random() < 0.1 else frozenset[NodeId]()
    changed = replace(base, objective=objective, estimates=replace(known, nodes=nodes), unavailable=gone)
    if base.workload.steps > 2 and random.random() < 0.5:
        at = names[int(random.integers(len(names)))]
        changed = replace(changed, start_step=int(random.integers(1, base.workload.steps)), at=at)
        target = names[int(random.integers(len(names)))]
        if target != at and random.random() < 0.5:
            changed = replace(changed, in_flight=Transfer(at, target, int(random.integers(0, 10**5))))
    return changed
