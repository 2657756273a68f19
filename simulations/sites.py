"""A device and whom it reaches: the topology of its jobs, the ways there, and what it believes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.telemetry import LinkSight
from eapg_split.domain.topology import Ends, Node, NodeId, Topology
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.policy import State
from eapg_split.planner.priors import assumed_link
from simulations.nodes import SimNode

CODECS: Final = ("lossless", "int8", "int4", "clean", "auto")


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
        self.known = {
            name: NodeKnowledge(profile=each.spec.profile, price_per_s=each.spec.price_per_s)
            for name, each in self.nodes.items()
        }
        self.reaches = {ends: LinkSight(*ends, bits_per_s=0.0) for ends in self.ways if own not in ends}
        for other in self.others:
            for ends in ((own, other), (other, own)):
                self.device.rates.expect(*ends, self._assumed(*ends))

    def _assumed(self, source: NodeId, target: NodeId) -> LinkEstimate:
        return assumed_link(self.nodes[source].spec.tier, self.nodes[target].spec.tier)


def _node(node: SimNode) -> Node:
    spec = node.spec
    return Node(spec.id, spec.tier, codecs=CODECS, memory_bytes=spec.memory_bytes)
