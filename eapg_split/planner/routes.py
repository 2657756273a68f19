"""Which way a state goes between two nodes that are not the device: straight, or through it; and what that carries."""

import math
from collections.abc import Callable, Mapping
from itertools import permutations

from eapg_split.domain.plan import Segment
from eapg_split.domain.telemetry import LinkSight, Telemetry
from eapg_split.domain.topology import Ends, NodeId, Topology
from eapg_split.domain.workload import Workload
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.link_rates import LinkRates
from eapg_split.planner.priors import assumed_link

Looks = Callable[[], Mapping[NodeId, Telemetry]]


class Routes:
    """One per job. What failed once is not tried again in the job."""

    def __init__(
        self, topology: Topology, rates: LinkRates, reaches: Mapping[Ends, LinkSight], looks: Looks
    ) -> None:
        """`reaches` has the links between others with what was known of each at first, `rates` those of the device.

        `looks` gives the newest telemetry of each node that told how it is.
        """
        self._tiers = {node.id: node.tier for node in topology.nodes}
        self._device = topology.device.id
        self._others = [node.id for node in topology.nodes if node.id != self._device]
        self._rates = rates
        self._reaches = reaches
        self._looks = looks
        self._broken: set[Ends] = set()

    def broke(self, source: NodeId, target: NodeId) -> None:
        """Handing on from one to the other failed."""
        self._broken.add((source, target))

    def may_hand_on(self, source: NodeId, target: NodeId) -> bool:
        """Whether one other node can hand a state straight on to another."""
        return (source, target) in self._reaches and (source, target) not in self._broken

    def links(self) -> dict[Ends, LinkEstimate | None]:
        """From and to the device as it was measured, None where it was not; between two others the faster way."""
        own, looks = self._device, self._looks()
        links: dict[Ends, LinkEstimate | None] = {}
        for node in self._others:
            links[own, node] = self._rates.estimate(own, node)
            links[node, own] = self._rates.estimate(node, own)
        for ends in permutations(self._others, 2):
            direct, by_device = self._direct(*ends, looks), self._through_device(*ends)
            links[ends] = by_device if direct is None or _slower(direct, by_device) else direct
        return links

    def relayed(self, source: NodeId, target: NodeId) -> bool:
        """Whether the faster way from one other node to another leads through the device."""
        direct = self._direct(source, target, self._looks())
        return direct is None or _slower(direct, self._through_device(source, target))

    def hands_on(self, first: Segment, second: Segment, workload: Workload) -> bool:
        """Whether the state between two segments should go past the device, although the result then does not."""
        looks = self._looks()
        there = self._direct(first.node, second.node, looks)
        if there is None:
            return False
        back = _seen(second.node, first.node, looks)
        back_bits_per_s = back.bits_per_s if back is not None else there.bits_per_s
        state = 8 * workload.spec_after(first.stop_step - 1).raw_bytes
        result = 8 * workload.spec_after(second.stop_step - 1).raw_bytes
        from_first, from_second = self._home(first.node), self._home(second.node)
        past = state / there.bits_per_s + there.rtt_s
        past += result / back_bits_per_s + result / from_first.bits_per_s + from_first.rtt_s
        around = self._through_device(first.node, second.node)
        by_device = state / around.bits_per_s + around.rtt_s
        by_device += result / from_second.bits_per_s + from_second.rtt_s
        return past < by_device

    def _direct(
        self, source: NodeId, target: NodeId, looks: Mapping[NodeId, Telemetry]
    ) -> LinkEstimate | None:
        """The link on which one other node hands a state on to the next; None where it cannot.

        One that has carried nothing yet is taken to be no worse than the way through the device.
        """
        if not self.may_hand_on(source, target):
            return None
        assumed = assumed_link(self._tiers[source], self._tiers[target])
        seen = _seen(source, target, looks) or self._reaches[source, target]
        if not seen.bits_per_s:
            slower = min(self._home(source).bits_per_s, self._out(target).bits_per_s)
            return LinkEstimate(max(assumed.bits_per_s, slower), assumed.rtt_s, assumed.sigma)
        return LinkEstimate(seen.bits_per_s, seen.rtt_s or assumed.rtt_s, seen.sigma or assumed.sigma)

    def _through_device(self, source: NodeId, target: NodeId) -> LinkEstimate:
        """The two links one after the other: the state is whole in between."""
        first, second = self._home(source), self._out(target)
        return LinkEstimate(
            bits_per_s=1 / (1 / first.bits_per_s + 1 / second.bits_per_s),
            rtt_s=first.rtt_s + second.rtt_s,
            sigma=max(first.sigma, second.sigma),
            joules_per_byte=first.joules_per_byte + second.joules_per_byte,
        )

    def _home(self, node: NodeId) -> LinkEstimate:
        return self._own(node, self._device)

    def _out(self, node: NodeId) -> LinkEstimate:
        return self._own(self._device, node)

    def _own(self, source: NodeId, target: NodeId) -> LinkEstimate:
        """A link of the device: as it was measured, or as such links are."""
        assumed = assumed_link(self._tiers[source], self._tiers[target])
        found = self._rates.estimate(source, target)
        if found is None:
            return assumed
        rtt_s = assumed.rtt_s if math.isnan(found.rtt_s) else found.rtt_s
        return LinkEstimate(found.bits_per_s, rtt_s, found.sigma, found.joules_per_byte)


def _slower(direct: LinkEstimate, by_device: LinkEstimate) -> bool:
    """Whether the straight way is no better than the other."""
    return direct.bits_per_s <= by_device.bits_per_s


def _seen(source: NodeId, target: NodeId, looks: Mapping[NodeId, Telemetry]) -> LinkSight | None:
    """What either end has seen of a link."""
    for node in (source, target):
        look = looks.get(node)
        for sight in look.links if look is not None else ():
            if (sight.source, sight.target) == (source, target) and sight.bits_per_s > 0:
                return sight
    return None
