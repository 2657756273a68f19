"""A device and whom it reaches: the topology of its jobs, the ways there, and what it believes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.plan import Segment
from eapg_split.domain.telemetry import LinkSight, Telemetry
from eapg_split.domain.topology import Node, NodeId, Topology
from eapg_split.domain.workload import Workload
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.policy import State
from eapg_split.planner.priors import assumed_link
from simulations.nodes import SimNode

CODECS: Final = ("lossless", "int8", "int4", "clean", "auto")

Ends = tuple[NodeId, NodeId]


@dataclass(frozen=True, slots=True)
class Way:
    """How bits go from one node to another: through these media, and so many seconds besides."""

    media: tuple[int, ...]
    delay_s: float

    def then(self, other: "Way") -> "Way":
        """This way and another one after it, passed on as it comes."""
        return Way(tuple(dict.fromkeys((*self.media, *other.media))), self.delay_s + other.delay_s)


@dataclass
class Site:
    """One per device. `ways` are those between its nodes; `learned` is what its policies keep between jobs."""

    device: SimNode
    nodes: Mapping[NodeId, SimNode]
    ways: Mapping[Ends, Way]
    learned: dict[str, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.topology = Topology(tuple(_node(each) for each in self.nodes.values()))
        own = self.device.id
        self.others = [node for node in self.nodes if node != own]
        for other in self.others:
            for ends in ((own, other), (other, own)):
                self.device.rates.expect(*ends, self._assumed(*ends))

    def links(self, latest: Mapping[NodeId, Telemetry]) -> dict[Ends, LinkEstimate | None]:
        """From and to the device as it was measured; between two others past it, or through it."""
        own, rates = self.device.id, self.device.rates
        links: dict[Ends, LinkEstimate | None] = {}
        for other in self.others:
            links[own, other] = rates.estimate(own, other)
            links[other, own] = rates.estimate(other, own)
        for source in self.others:
            for target in self.others:
                if source != target:
                    direct, by_device = (
                        self.direct(source, target, latest),
                        self.through_device(source, target),
                    )
                    better = direct is not None and direct.bits_per_s > by_device.bits_per_s
                    links[source, target] = direct if better else by_device
        return links

    def rates_bits_per_s(self, latest: Mapping[NodeId, Telemetry]) -> dict[Ends, float]:
        """The rates of the links of which something is known."""
        return {ends: link.bits_per_s for ends, link in self.links(latest).items() if link is not None}

    def direct(
        self, source: NodeId, target: NodeId, latest: Mapping[NodeId, Telemetry]
    ) -> LinkEstimate | None:
        """The link on which one other node hands a state on to the next; None where there is none."""
        if (source, target) not in self.ways:
            return None
        assumed, seen = self._assumed(source, target), _seen(source, target, latest)
        if seen is None:
            slower = min(self._own(source, home=True).bits_per_s, self._own(target, home=False).bits_per_s)
            return LinkEstimate(max(assumed.bits_per_s, slower), assumed.rtt_s, assumed.sigma)
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

    def hands_on(
        self, first: Segment, second: Segment, workload: Workload, latest: Mapping[NodeId, Telemetry]
    ) -> bool:
        """Whether the state between two segments should go past the device, although the result then does not."""
        there = self.direct(first.node, second.node, latest)
        if there is None:
            return False
        back = _seen(second.node, first.node, latest)
        back_bits_per_s = back.bits_per_s if back is not None else there.bits_per_s
        state = 8 * workload.spec_after(first.stop_step - 1).raw_bytes
        result = 8 * workload.spec_after(second.stop_step - 1).raw_bytes
        from_first, from_second = self._own(first.node, home=True), self._own(second.node, home=True)
        past = state / there.bits_per_s + there.rtt_s
        past += result / back_bits_per_s + result / from_first.bits_per_s + from_first.rtt_s
        home = self.through_device(first.node, second.node)
        by_device = state / home.bits_per_s + home.rtt_s + result / from_second.bits_per_s + from_second.rtt_s
        return past < by_device

    def _own(self, node: NodeId, *, home: bool) -> LinkEstimate:
        own = self.device.id
        ends = (node, own) if home else (own, node)
        return self.device.rates.estimate(*ends) or self._assumed(*ends)

    def _assumed(self, source: NodeId, target: NodeId) -> LinkEstimate:
        return assumed_link(self.nodes[source].spec.tier, self.nodes[target].spec.tier)


def _seen(source: NodeId, target: NodeId, latest: Mapping[NodeId, Telemetry]) -> LinkSight | None:
    for node in (source, target):
        look = latest.get(node)
        for sight in look.links if look is not None else ():
            if (sight.source, sight.target) == (source, target) and sight.bits_per_s > 0:
                return sight
    return None


def _node(node: SimNode) -> Node:
    spec = node.spec
    return Node(spec.id, spec.tier, codecs=CODECS, memory_bytes=spec.memory_bytes)
