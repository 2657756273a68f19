"""Between two nodes that are not the device: whether a state goes there directly, and what that link carries."""

import math
from collections.abc import Callable

from eapg_split.domain.plan import Segment
from eapg_split.domain.telemetry import LinkSight, Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.priors import assumed_link
from eapg_split.runtime.cluster import Cluster

Latest = Callable[[NodeId], Telemetry | None]


class Routes:
    """One per job. What failed once is not tried again in the job."""

    def __init__(self, cluster: Cluster, latest: Latest) -> None:
        self._cluster = cluster
        self._latest = latest
        self._broken: set[tuple[NodeId, NodeId]] = set()

    def broke(self, source: NodeId, target: NodeId) -> None:
        """Handing on from one to the other failed."""
        self._broken.add((source, target))

    def direct(self, source: NodeId, target: NodeId) -> LinkEstimate | None:
        """The link on which `source` can hand a state on to `target`; None where it cannot.

        One that has carried nothing yet is taken to be no worse than the way through the device.
        """
        reached = {sight.target: sight for sight in self._cluster.description(source).reaches}
        if target not in reached or (source, target) in self._broken:
            return None
        seen = self._seen(source, target) or reached[target]
        topology = self._cluster.topology
        assumed = assumed_link(topology.node(source).tier, topology.node(target).tier)
        if not seen.bits_per_s:
            slower = min(self._own(source, home=True).bits_per_s, self._own(target, home=False).bits_per_s)
            rate = max(assumed.bits_per_s, slower)
            return LinkEstimate(rate, assumed.rtt_s, assumed.sigma)
        return LinkEstimate(seen.bits_per_s, seen.rtt_s or assumed.rtt_s, seen.sigma or assumed.sigma)

    def through_device(self, source: NodeId, target: NodeId) -> LinkEstimate:
        """The two links one after the other: the state is whole in between."""
        first, second = self._own(source, home=True), self._own(target, home=False)
        return LinkEstimate(
            bits_per_s=1 / (1 / first.bits_per_s + 1 / second.bits_per_s),
            rtt_s=first.rtt_s + second.rtt_s,
            sigma=max(first.sigma, second.sigma),
            joules_per_byte=first.joules_per_byte + second.joules_per_byte,
        )

    def hands_on(self, first: Segment, second: Segment, workload: Workload) -> bool:
        """Whether the state between two segments should go past the device, although the result then does not."""
        there = self.direct(first.node, second.node)
        if there is None:
            return False
        back = self._seen(second.node, first.node)
        back_bits_per_s = back.bits_per_s if back is not None else there.bits_per_s
        state = 8 * workload.spec_after(first.stop_step - 1).raw_bytes
        result = 8 * workload.spec_after(second.stop_step - 1).raw_bytes
        from_first, from_second = self._own(first.node, home=True), self._own(second.node, home=True)
        past = state / there.bits_per_s + there.rtt_s
        past += result / back_bits_per_s + result / from_first.bits_per_s + from_first.rtt_s
        home = self.through_device(first.node, second.node)
        by_device = state / home.bits_per_s + home.rtt_s + result / from_second.bits_per_s + from_second.rtt_s
        return past < by_device

    def _seen(self, source: NodeId, target: NodeId) -> LinkSight | None:
        """What either end has seen of a link."""
        for node in (source, target):
            look = self._latest(node)
            for sight in look.links if look is not None else ():
                if (sight.source, sight.target) == (source, target) and sight.bits_per_s > 0:
                    return sight
        return None

    def _own(self, node: NodeId, *, home: bool) -> LinkEstimate:
        """The link from a node to the device, or there: as it was measured, or as such links are."""
        topology = self._cluster.topology
        device = topology.device.id
        source, target = (node, device) if home else (device, node)
        assumed = assumed_link(topology.node(source).tier, topology.node(target).tier)
        found = self._cluster.worker.links.estimate(source, target)
        if found is None:
            return assumed
        rtt_s = assumed.rtt_s if math.isnan(found.rtt_s) else found.rtt_s
        return LinkEstimate(found.bits_per_s, rtt_s, found.sigma, found.joules_per_byte)
