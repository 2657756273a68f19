"""Planning problems of any size, of the kind that the product meets: a pyramid, a device, edges and clouds."""

import itertools

import numpy as np

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Geometry, Stage, StageKind, Workload
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.policy import Goal, Objective, PlanView

STAGE_SECONDS = (0.05, 0.25, 1.5, 5.0)  # of one step on the device
STAGE_BITS = (1.2e6, 4.8e6, 19e6, 19e6)  # of the state, uncoded
RATIOS = (1.0, 0.5, 0.27, 0.14, 0.08, 0.06)  # of each codec
CODING_S_PER_BIT = (0.0, 2.5e-10, 5e-10, 1e-9, 2.5e-9, 3e-9)
NAMES = ("lossless", "int8", "int4", "clean", "fine", "coarse")


def instance(cuts: int, nodes: int, codecs: int, seed: int) -> PlanView:
    """A view with so many boundaries between steps, all of them different; every estimate is drawn from the seed."""
    random = np.random.default_rng(seed)
    steps = cuts + 1
    stage_of = np.minimum(3, np.arange(steps - 1) * 4 // (steps - 1))
    names = [NodeId("device"), *(NodeId(f"node-{number}") for number in range(1, nodes))]
    tiers = [Tier.DEVICE, *(Tier.EDGE if number <= nodes // 2 else Tier.CLOUD for number in range(1, nodes))]
    topology = Topology(
        tuple(Node(name, tier, codecs=("auto",)) for name, tier in zip(names, tiers, strict=True))
    )
    seconds = np.append(np.array(STAGE_SECONDS)[stage_of], 2.0) * random.uniform(0.9, 1.1, steps) * 25 / steps
    estimates = Estimates(
        {name: _node(random, seconds, tier) for name, tier in zip(names, tiers, strict=True)},
        {
            pair: _link(random, pair[0] == names[0], names[0] in pair)
            for pair in itertools.permutations(names, 2)
        },
        tuple(_codec(random, stage_of, number) for number in range(codecs)),
    )
    objective = Objective(Privacy.PROMPT_LOCAL, "auto", Goal.BALANCED)
    return PlanView(_workload(stage_of), topology, objective=objective, estimates=estimates)


def _workload(stage_of: np.ndarray) -> Workload:
    geometry = Geometry(24.0, 512, 288, 120)
    stages = []
    for number in range(4):
        rows = np.flatnonzero(stage_of == number)
        kind = StageKind.DENOISE
        first, last = int(rows[0]), int(rows[-1]) + 1
        stages.append(Stage(f"stage{number}", kind, first, last, number < 2, geometry, 1e9, 10**8, ()))
    end = len(stage_of)
    stages.append(Stage("decode", StageKind.DECODE, end, end + 1, False, geometry, 1e9, 10**8, ()))
    specs = [LatentSpec.of(xbar=(1, 12, 30, 36 << number // 2, 64)) for number in range(4)]
    return Workload(Request("A cat running"), tuple(stages), (*(specs[n] for n in stage_of), LatentSpec()))


def _node(random: np.random.Generator, seconds: np.ndarray, tier: Tier) -> NodeEstimate:
    if tier is Tier.DEVICE:
        return NodeEstimate(
            tuple(seconds.tolist()),
            active_w=5.0,
            idle_w=0.8,
            battery_j=20_000.0,
            charge=float(random.uniform(0.1, 1)),
        )
    faster = random.uniform(2, 8) if tier is Tier.EDGE else random.uniform(10, 40)
    entry = seconds * random.uniform(0, 2) / faster
    return NodeEstimate(
        tuple((seconds / faster * random.uniform(0.9, 1.1, len(seconds))).tolist()),
        price_per_s=0.0 if tier is Tier.EDGE else 0.0006,
        entry_s=tuple(entry.tolist()),
    )


def _link(random: np.random.Generator, upward: bool, radio: bool) -> LinkEstimate:
    rate = random.uniform(4e6, 60e6) if upward else random.uniform(20e6, 300e6)
    joules = (0.3e-6 if upward else 0.1e-6) if radio else 0.0
    return LinkEstimate(
        float(rate), float(random.uniform(0.01, 0.06)), float(random.uniform(0.05, 0.5)), joules
    )


def _codec(random: np.random.Generator, stage_of: np.ndarray, number: int) -> CodecEstimate:
    raw = np.concatenate([[0.0], np.array(STAGE_BITS)[stage_of], [0.0]])
    bits = raw * RATIOS[number] * random.uniform(0.9, 1.1, len(raw)) + 2400
    coding = raw * CODING_S_PER_BIT[number]
    return CodecEstimate(NAMES[number], *(tuple(each.tolist()) for each in (bits, coding, coding * 0.7)))
