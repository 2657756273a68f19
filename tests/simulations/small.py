"""A device, an edge and a cloud node that are exactly what they say, unless a test wants them otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.eapg.workload import unroll
from eapg_split.planner import resolve
from eapg_split.planner.policy import Goal, Objective, Policy
from simulations.arrivals import Arrivals, Listed
from simulations.faults import Fault
from simulations.node_specs import NodeSpec
from simulations.record import Record
from simulations.simulation import Run, Setup, simulate
from simulations.sites import Way
from simulations.traces import RateTrace
from simulations.world import Demand, Layout

DEVICE, EDGE, CLOUD = NodeId("device"), NodeId("edge"), NodeId("cloud")
TIERS = {DEVICE: Tier.DEVICE, EDGE: Tier.EDGE, CLOUD: Tier.CLOUD}
FLOPS = {DEVICE: 20e9, EDGE: 80e9, CLOUD: 300e9}
WORKLOAD = unroll(Request("A cat running", width=256, height=144, seconds=2.0, steps=(4, 3, 2, 2)))
RATES = {
    "up": 20e6,
    "down": 60e6,
    "up-cloud": 10e6,
    "down-cloud": 30e6,
    "edge-cloud": 200e6,
    "cloud-edge": 200e6,
}
WAYS = {
    (DEVICE, EDGE): Way((0,), 0.005),
    (EDGE, DEVICE): Way((1,), 0.005),
    (DEVICE, CLOUD): Way((2,), 0.02),
    (CLOUD, DEVICE): Way((3,), 0.02),
    (EDGE, CLOUD): Way((4,), 0.01),
    (CLOUD, EDGE): Way((5,), 0.01),
}


def cost(flops_per_s: float) -> dict[str, StageCost]:
    """Every stage as fast as that."""
    each = StageCost(0.005, flops_per_s, load_s=0.5, entry_flops_per_s=flops_per_s)
    return {stage.name: each for stage in WORKLOAD.stages}


def layout(
    changes: Mapping[NodeId, Mapping[str, Any]] | None = None, rates: Mapping[str, RateTrace] | None = None
) -> Layout:
    """The three nodes, with changes of their specs, and other rates for some media."""
    specs = [NodeSpec(name, tier, cost(FLOPS[name]), noise=0.0) for name, tier in TIERS.items()]
    media = {name: RateTrace(np.array([rate])) for name, rate in RATES.items()} | dict(rates or {})
    return Layout(tuple(replace(spec, **(changes or {}).get(spec.id, {})) for spec in specs), media, WAYS)


def run(
    policy: str | Callable[[], Policy] = "dp-adaptive",
    world: Layout | None = None,
    *,
    arrivals: Arrivals | None = None,
    faults: tuple[Fault, ...] = (),
    deadline_s: float = float("inf"),
    seed: int = 1,
    until_s: float = float("inf"),
    privacy: Privacy = Privacy.PROMPT_LOCAL,
    pins: Mapping[str, NodeId] | None = None,
    write: Callable[[str], object] | None = None,
) -> Run:
    """What becomes of one job at moment 0, or of others, for the fastest plan."""
    objective = Objective(privacy=privacy, codec="lossless", goal=Goal.LATENCY, pins=pins or {})
    make = policy if callable(policy) else lambda: resolve(policy)
    demand = Demand("clip", WORKLOAD, objective, make, deadline_s)
    setup = Setup(world or layout(), ((demand, arrivals or Listed((0.0,))),), faults)
    return simulate(setup, seed=seed, until_s=until_s, record=Record(write))
