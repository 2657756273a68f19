"""What this device knows of its nodes and links at one moment: for somebody who plans elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import Ends, NodeId, Topology
from eapg_split.planner.estimates import Estimates
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.job import Job, check_wishes
from eapg_split.runtime.views import LiveViews
from eapg_split.runtime.watch import NodeWatch, watched

_LOOK_S: Final = 1.0


@dataclass(frozen=True)
class Heard:
    """The newest look at a node, and how old it is."""

    telemetry: Telemetry
    age_s: float


@dataclass(frozen=True)
class Survey:
    """Topology and estimates as a job that began now would see them, and what they rest on.

    `heard` has the nodes that told how they are. `ages_s` says how long ago each link was seen; one that is missing
    there is only assumed. `relayed` are the links between two others that lead through the device. `missing` are nodes
    that did not answer, each with the reason.
    """

    topology: Topology
    estimates: Estimates
    heard: Mapping[NodeId, Heard] = field(default_factory=dict)
    ages_s: Mapping[Ends, float] = field(default_factory=dict)
    relayed: frozenset[Ends] = frozenset()
    missing: tuple[str, ...] = ()


async def survey(job: Job, cluster: Cluster) -> Survey:
    """Asks every node who and how it is, and probes stale links for a second at most.

    The job is not run; only what shapes its plan counts. Raises InvalidRequest for wishes that name what is not there,
    and what `Cluster.discover` raises.
    """
    workload = await cluster.worker.unroll(job.request)
    await cluster.discover(job.deadline)
    topology = cluster.topology
    check_wishes(job.wishes, workload, topology)
    async with watched(cluster) as watch:
        views = LiveViews(job, cluster, workload, watch)
        try:
            await views.prepare(_LOOK_S)
        finally:
            await views.close()
        estimates = views.at(0, frozenset()).estimates
        assert estimates is not None
        heard = heard_by(watch, topology)
    others = [ends for ends in estimates.links if topology.device.id not in ends]
    relayed = frozenset(ends for ends in others if views.routes.relayed(*ends))
    return Survey(topology, estimates, heard, ages_s(cluster, heard, relayed), relayed, cluster.missing)


def heard_by(watch: NodeWatch, topology: Topology) -> dict[NodeId, Heard]:
    """The newest look at each node that told how it is."""
    looks = {node.id: watch.latest(node.id) for node in topology.nodes}
    return {node: Heard(look, watch.age_s(node)) for node, look in looks.items() if look is not None}


def ages_s(cluster: Cluster, heard: Mapping[NodeId, Heard], relayed: frozenset[Ends]) -> dict[Ends, float]:
    """How long ago links were seen: the device's own by itself, those between others by what these told.

    A relayed one has two halves.
    """
    device = cluster.topology.device.id
    ages = {
        (NodeId(sight.source), NodeId(sight.target)): sight.age_s for sight in cluster.worker.links.sights()
    }
    for each in heard.values():
        for sight in each.telemetry.links:
            ends = NodeId(sight.source), NodeId(sight.target)
            if device not in ends and sight.bits_per_s > 0:
                ages.setdefault(ends, sight.age_s + each.age_s)
    for source, target in relayed:
        halves = [ages.get((source, device)), ages.get((device, target))]
        known = [age_s for age_s in halves if age_s is not None]
        ages.pop((source, target), None)
        if len(known) == len(halves):
            ages[source, target] = max(known)
    return ages
