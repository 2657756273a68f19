"""The 3-tier chain with a policy that decides every job: own links for each device, an edge for 25, one cloud."""

import math
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from figures import Row
from simulator_chain import DEVICES_AN_EDGE, EDGE_SERVERS, EVERY_S

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.domain.workload import Geometry, Stage, StageKind, Workload
from eapg_split.planner import resolve
from eapg_split.planner.policy import Objective
from simulations.arrivals import Poisson
from simulations.fleet import Fleet, Jobs, run
from simulations.node_specs import NodeSpec
from simulations.outcomes import End
from simulations.simulation import Run, Setup, simulate
from simulations.sites import Way
from simulations.streams import stream
from simulations.traces import RateTrace
from simulations.world import Demand, Layout

BAR: Final = 3000.0  # jobs a second of wall time
_STAGES: Final = (("first", 2.0), ("middle", 12.0), ("last", 12.0), ("decode", 0.5))  # seconds on a device
_MOST_SERVICES: Final = 12
_SPEEDS: Final = {Tier.DEVICE: 1.0, Tier.EDGE: 4.0, Tier.CLOUD: 8.0}


def workload() -> Workload:
    """Four steps, of which the first and the last stay on the device; 1 MB crosses a cut."""
    stages = []
    for step, (name, _) in enumerate(_STAGES):
        kind = StageKind.DECODE if name == "decode" else StageKind.DENOISE
        geometry = Geometry(24, 64, 64, 1)
        stages.append(Stage(name, kind, step, step + 1, step == 0, geometry, 1.0, 1, (name,)))
    spec = LatentSpec.of(x=(1, 1, 1, 500, 500))
    return Workload(Request("a chain"), tuple(stages), (spec, spec, spec, LatentSpec()))


def setup(devices: int) -> Setup:
    """The network, and a job of each device every 40 s on average."""
    edges = max(1, devices // DEVICES_AN_EDGE)
    nodes, media, ways = list[NodeSpec](), dict[str, RateTrace](), dict[tuple[NodeId, NodeId], Way]()
    cloud = NodeId("cloud")
    nodes.append(_node(cloud, Tier.CLOUD, engines=max(64, int(0.06 * devices))))
    for number in range(edges):
        edge = NodeId(f"edge-{number}")
        nodes.append(_node(edge, Tier.EDGE, engines=EDGE_SERVERS))
        _line(media, ways, (edge, cloud), 160e6, 0.01)
    for number in range(devices):
        device, edge = NodeId(f"device-{number}"), NodeId(f"edge-{number % edges}")
        nodes.append(_node(device, Tier.DEVICE))
        _line(media, ways, (device, edge), 8e6, 0.005)
        up, down = (ways[ends].media for ends in ((device, edge), (edge, device)))
        there, back = (ways[ends].media for ends in ((edge, cloud), (cloud, edge)))
        ways[device, cloud] = Way((*up, *there), 0.015)
        ways[cloud, device] = Way((*back, *down), 0.015)
    demand = Demand("chain", workload(), Objective(), lambda: resolve("dp-adaptive"))
    return Setup(Layout(tuple(nodes), media, ways), ((demand, Poisson(EVERY_S)),))


def planned(*, quick: bool) -> Iterator[Row]:
    """1 000 devices and 50 000 jobs: each is planned when it comes, and passes its services."""
    devices, jobs = (1000, 2000) if quick else (1000, 50_000)
    chain, coming = fleet(devices), jobs_of(devices, jobs)
    began = time.perf_counter()
    ends = run(chain, coming, resolve("dp-adaptive"))
    rate = jobs / (time.perf_counter() - began)
    label = f"3-tier chain, {devices} devices, {jobs} jobs, dp-adaptive plans each: jobs/s"
    beside = {"different views": ends.views, "routes taken": len(ends.routes)}
    yield Row(label, round(rate), beside, f">= {BAR:g}", rate >= BAR)
    yield from _whole(quick=quick)


def _whole(*, quick: bool) -> Iterator[Row]:
    """Whole jobs with links that are shared, telemetry, and looks at the plan as they go."""
    devices, jobs = (100, 200) if quick else (1000, 5000)
    world, seconds = timed(devices, jobs)
    done = sum(job.end is End.DONE for job in world.outcomes)
    label = f"the same as whole jobs that look at their plan as they go, {jobs} jobs: jobs/s"
    beside = {"events/s": round(world.events / seconds), "jobs done": done}
    yield Row(label, round(jobs / seconds), beside)


def fleet(devices: int) -> Fleet:
    """The same network for jobs that are planned once."""
    edges = max(1, devices // DEVICES_AN_EDGE)
    seconds = {NodeId(tier): tuple(each / speed for _, each in _STAGES) for tier, speed in _SPEEDS.items()}
    for tier in (Tier.EDGE, Tier.CLOUD):
        seconds[NodeId(tier)] = (math.inf, *seconds[NodeId(tier)][1:3], math.inf)
    return Fleet(
        workload(),
        Objective(),
        devices,
        edges,
        EDGE_SERVERS,
        max(64, int(0.06 * devices)),
        step_s=seconds,
        bits=(8.0 * 400, *(8e6,) * 4),
        bits_per_s={"up": 8e6, "down": 8e6, "out": 160e6, "in": 160e6},
    )


def jobs_of(devices: int, jobs: int) -> Jobs:
    """A job of each device every 40 s on average."""
    draws = stream(1, "arrivals")
    return Jobs(
        arrives_s=np.cumsum(draws.exponential(EVERY_S / devices, jobs)),
        device=draws.integers(devices, size=jobs),
        draws=stream(1, "services").exponential(1.0, (jobs, _MOST_SERVICES)),
    )


def timed(devices: int, jobs: int) -> tuple[Run, float]:
    """The run, and the seconds that it took."""
    world = setup(devices)
    began = time.perf_counter()
    made = simulate(world, seed=1, jobs=jobs)
    return made, time.perf_counter() - began


def _node(name: NodeId, tier: Tier, engines: int = 1) -> NodeSpec:
    costs = {stage: StageCost(seconds / _SPEEDS[tier], 1e12) for stage, seconds in _STAGES}
    return NodeSpec(name, tier, costs, engines=engines, slots=10 * engines, noise=0.1)


def _line(
    media: dict[str, RateTrace],
    ways: dict[tuple[NodeId, NodeId], Way],
    ends: tuple[NodeId, NodeId],
    bits_per_s: float,
    delay_s: float,
) -> None:
    for source, target in (ends, ends[::-1]):
        ways[source, target] = Way((len(media),), delay_s)
        media[f"{source}>{target}"] = RateTrace(np.array([bits_per_s]))
