"""The other nodes that this one was configured with, by their ids: those to which it may hand a state on."""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError, NodeUnavailable
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.peer import Emit, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import Recall

_IDENTIFY_S: Final = 1.0
_FRESH_S: Final = 10.0  # who answered is not asked again for so long


class Neighbour(Protocol):
    """What of a peer is needed to hand a state on."""

    async def identify(self) -> NodeId:
        """Asks the node for its id, and for nothing that it would have to ask others for."""

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        """As a Peer does."""


class Neighbours:
    """One per daemon."""

    def __init__(self, peers: Sequence[Neighbour] = ()) -> None:
        self._peers = tuple(peers)
        self._known: Mapping[NodeId, Neighbour] = MappingProxyType({})
        self._asked_s = float("-inf")

    async def ids(self) -> tuple[NodeId, ...]:
        """Those that answer now, or did a moment ago. Takes a second at most."""
        now = asyncio.get_running_loop().time()
        if now - self._asked_s > _FRESH_S or len(self._known) < len(self._peers):
            answers = await asyncio.gather(*(_identified(peer) for peer in self._peers))
            known = {node: peer for node, peer in zip(answers, self._peers, strict=True) if node is not None}
            self._known, self._asked_s = MappingProxyType(known), now
        return tuple(self._known)

    async def peer(self, node: NodeId) -> Neighbour:
        """The neighbour of that id. Raises NodeUnavailable for one that was not configured or does not answer."""
        if node not in self._known:
            await self.ids()
        if node not in self._known:
            raise NodeUnavailable(f"Node {node} cannot be reached from here.", node_id=node)
        return self._known[node]


async def _identified(peer: Neighbour) -> NodeId | None:
    try:
        async with asyncio.timeout(_IDENTIFY_S):
            return await peer.identify()
    except (EapgError, TimeoutError):
        return None
