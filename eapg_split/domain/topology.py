"""The nodes that take part, and the links between them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from eapg_split.errors import InvalidRequest

NodeId = NewType("NodeId", str)
Ends = tuple[NodeId, NodeId]
"""Of a link: from where, to where."""


class Tier(StrEnum):
    """Where a node stands: a label for people and policies, never a branch in the runtime."""

    DEVICE = "device"
    EDGE = "edge"
    CLOUD = "cloud"


@dataclass(frozen=True, slots=True)
class Node:
    """One running daemon. `memory_bytes` is what it may use, None where it did not say."""

    id: NodeId
    tier: Tier
    address: str = ""
    engines: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.id) <= 200:
            raise InvalidRequest("A node needs an id of 1 to 200 characters.")
        if self.memory_bytes is not None and self.memory_bytes <= 0:
            raise InvalidRequest(f"Node {self.id} must have a positive memory limit, or none.")


@dataclass(frozen=True, slots=True)
class Link:
    """A directed connection."""

    source: NodeId
    target: NodeId
    rate_bytes_per_s: float
    delay_s: float


@dataclass(frozen=True, slots=True)
class Topology:
    """All nodes, exactly one of them the device, and what is known of the links.

    Raises InvalidRequest for repeated ids, for a link to a stranger, and unless there is one device.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        ids = {node.id for node in self.nodes}
        if len(ids) != len(self.nodes):
            raise InvalidRequest("Two nodes share one id: give every node its own.")
        devices = len(self.of_tier(Tier.DEVICE))
        if devices != 1:
            raise InvalidRequest(f"A topology needs exactly one device node, not {devices}.")
        if any(end not in ids for link in self.links for end in (link.source, link.target)):
            raise InvalidRequest("A link names a node that is not in the topology.")

    @property
    def device(self) -> Node:
        return self.of_tier(Tier.DEVICE)[0]

    def node(self, node_id: NodeId) -> Node:
        """The node of that id. Raises InvalidRequest when there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        known = ", ".join(node.id for node in self.nodes)
        raise InvalidRequest(f"There is no node {node_id!r}; the known ones are {known}.")

    def of_tier(self, tier: Tier) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.tier is tier)
