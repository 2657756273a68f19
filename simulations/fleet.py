"""Chains of services whose route a policy chooses, job by job: large fleets of devices that are alike.

Between the plain chains (`simulations.chain`) and whole jobs (`simulations.jobs`): services are first come, first
served, and a plan is made once, when its job comes. The policy sees, as live, what nodes told of their queues at the
last whole second, in steps of a quarter of one. Equal views get equal plans: what it said of one is remembered.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from typing import Final

import numpy as np

from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Workload
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.limits import check_plan
from eapg_split.planner.policy import Objective, PlanView, Policy
from simulations.chain import Floats, Ints

LOOK_S: Final = 1.0
QUEUE_STEP_S: Final = 0.25
DEVICE, EDGE, CLOUD = NodeId("device"), NodeId("edge"), NodeId("cloud")
_OF_EDGES: Final = frozenset({EDGE, "out", "in"})
_TIERS: Final = {DEVICE: Tier.DEVICE, EDGE: Tier.EDGE, CLOUD: Tier.CLOUD}
_UP, _DOWN, _OUT, _IN = "up", "down", "out", "in"  # a device's link, and its edge's line to the cloud
_WAYS: Final = {
    (DEVICE, EDGE): (_UP,),
    (EDGE, DEVICE): (_DOWN,),
    (EDGE, CLOUD): (_OUT,),
    (CLOUD, EDGE): (_IN,),
    (DEVICE, CLOUD): (_UP, _OUT),
    (CLOUD, DEVICE): (_IN, _DOWN),
}


@dataclass(frozen=True, eq=False)
class Fleet:
    """`devices` dealt out to `edges` of so many servers, and one cloud.

    `step_s` has the mean seconds of each step on each kind of node, infinite where it cannot; `bits` is what crosses at
    each boundary, `bits_per_s` of the four lines by "up", "down", "out" and "in".
    """

    workload: Workload
    objective: Objective
    devices: int
    edges: int
    edge_servers: int
    cloud_servers: int
    step_s: Mapping[NodeId, tuple[float, ...]]
    bits: tuple[float, ...]
    bits_per_s: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Jobs:
    """When each comes, of which device, and the unit-mean draws [J, L] that its services are multiplied by."""

    arrives_s: Floats
    device: Ints
    draws: Floats


@dataclass(frozen=True, eq=False)
class Ends:
    """[J] when each job ended; how many views were new, and how often each route was taken."""

    ends_s: Floats
    views: int
    routes: Mapping[tuple[str, ...], int]


Route = tuple[tuple[str, float], ...]  # of roles ("edge", "up", …) and mean seconds


class Planner:
    """Asks the policy, and remembers what it said of a view."""

    def __init__(self, fleet: Fleet, policy: Policy) -> None:
        self._fleet, self._policy = fleet, policy
        nodes = [Node(name, tier, codecs=("lossless",)) for name, tier in _TIERS.items()]
        self._topology = Topology(tuple(nodes))
        zeros = (0.0,) * len(fleet.bits)
        self._codec = CodecEstimate("lossless", fleet.bits, zeros, zeros)
        self._links = {
            ends: LinkEstimate(1 / sum(1 / fleet.bits_per_s[line] for line in lines))
            for ends, lines in _WAYS.items()
        }
        self._known: dict[tuple[int, int, int], Route] = {}

    @property
    def views(self) -> int:
        """How many different ones it was asked about."""
        return len(self._known)

    def route(self, queues: tuple[int, int, int]) -> Route:
        """What a job passes when the three nodes have told of queues of so many quarters of a second."""
        found = self._known.get(queues)
        if found is None:
            found = self._known[queues] = self._asked(queues)
        return found

    def _asked(self, queues: tuple[int, int, int]) -> Route:
        fleet = self._fleet
        nodes = {
            name: NodeEstimate(fleet.step_s[name], quarters * QUEUE_STEP_S)
            for name, quarters in zip(_TIERS, queues, strict=True)
        }
        estimates = Estimates(nodes, self._links, (self._codec,))
        view = PlanView(fleet.workload, self._topology, 0, fleet.objective, estimates=estimates)
        plan = check_plan(view, self._policy.plan(view))
        route, at = list[tuple[str, float]](), DEVICE
        for step in range(fleet.workload.steps):
            node = plan.segment_at(step).node
            if node != at:
                route += [(line, fleet.bits[step] / fleet.bits_per_s[line]) for line in _WAYS[at, node]]
            route.append((node, fleet.step_s[node][step]))
            at = node
        return tuple(route)


def run(fleet: Fleet, jobs: Jobs, policy: Policy) -> Ends:
    """Lets every job come, be planned and pass its services. Raises InfeasiblePlan where the policy finds no plan."""
    planner, stations = Planner(fleet, policy), _Stations(fleet)
    arrives, devices, draws = [*jobs.arrives_s.tolist(), math.inf], jobs.device.tolist(), jobs.draws
    services: dict[int, tuple[list[int], list[float]]] = {}  # of the jobs on their way
    ends, taken = [0.0] * len(devices), dict[Route, int]()
    heap = [(math.inf, -1, 0)]
    coming, free, pools = 0, stations.free, stations.pools
    while True:
        now, job, at = heap[0]
        fresh = arrives[coming] <= now
        if fresh:
            if coming == len(devices):
                break
            now, job, at = arrives[coming], coming, 0
            coming += 1
            device = devices[job]
            route = planner.route(stations.told(device, now))
            taken[route] = taken.get(route, 0) + 1
            row = draws[job].tolist()
            places = [stations.number(role, device) for role, _ in route]
            services[job] = places, [mean * row[index] for index, (_, mean) in enumerate(route)]
        places, seconds = services[job]
        place = places[at]
        pool = pools.get(place)
        begin = free[place] if pool is None else pool[0]
        end = (now if now > begin else begin) + seconds[at]
        if pool is None:
            free[place] = end
        else:
            heapreplace(pool, end)
        if at + 1 == len(places):
            ends[job] = end
            del services[job]
            if not fresh:
                heappop(heap)
        elif fresh:
            heappush(heap, (end, job, at + 1))
        else:
            heapreplace(heap, (end, job, at + 1))
    names = {tuple(role for role, _ in route): count for route, count in taken.items()}
    return Ends(np.array(ends), planner.views, names)


class _Stations:
    """Numbers of all stations, when each is free, and what their nodes told of that at the last look."""

    def __init__(self, fleet: Fleet) -> None:
        self._edges = fleet.edges
        self._first: dict[str, int] = {}
        total = 0
        for role in (DEVICE, _UP, _DOWN, EDGE, _OUT, _IN):
            self._first[role] = total
            total += fleet.edges if role in _OF_EDGES else fleet.devices
        self._cloud = total
        self.free = [0.0] * total
        edges = range(self._first[EDGE], self._first[EDGE] + fleet.edges)
        self.pools = {edge: [0.0] * fleet.edge_servers for edge in edges}
        self.pools[total] = [0.0] * fleet.cloud_servers
        self._looked_s = -LOOK_S
        self._told: dict[int, int] = {}

    def number(self, role: str, device: int) -> int:
        """The station of a role for a device."""
        if role == CLOUD:
            return self._cloud
        return self._first[role] + (device % self._edges if role in _OF_EDGES else device)

    def told(self, device: int, now_s: float) -> tuple[int, int, int]:
        """Quarters of a second until the device, its edge and the cloud are free, the latter as they last told."""
        if now_s >= self._looked_s + LOOK_S:
            self._looked_s = now_s - now_s % LOOK_S
            self._told = {number: _quarters(pool[0] - now_s) for number, pool in self.pools.items()}
        edge = self._told[self.number(EDGE, device)]
        return _quarters(self.free[device] - now_s), edge, self._told[self._cloud]


def _quarters(seconds: float) -> int:
    return round(max(0.0, seconds) / QUEUE_STEP_S)
