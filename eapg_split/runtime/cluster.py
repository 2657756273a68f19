"""The nodes that one job can use: asked in parallel who they are, once, when the job starts."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eapg_split.domain.topology import NodeId, Tier, Topology
from eapg_split.errors import (
    CapacityExceeded,
    EapgError,
    EngineFailure,
    InvalidRequest,
    NodeUnavailable,
    Unsupported,
)
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.peer import PROTOCOL_VERSION, NodeDescription, Peer
from eapg_split.runtime.worker import Worker

_DESCRIBE_S: Final = (
    5.0  # of one that is awake, and perhaps still opens its engine; a peer gives up a silent one
)
_ALIVE_S: Final = 1.0  # a dead one refuses within milliseconds; one that hangs must not hold the job up
_log = logging.getLogger(__name__)


class Cluster:
    """This node's worker and the peers that answered. Nothing is known before `discover`."""

    def __init__(self, worker: Worker, peers: Sequence[Peer]) -> None:
        self.worker = worker
        self._peers = tuple(peers)
        self._reached: dict[NodeId, Peer] = {}
        self._own: NodeDescription | None = None
        self._described: dict[NodeId, NodeDescription] = {}
        self._topology: Topology | None = None
        self.missing: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The weights that every node of the job must have."""
        assert self._own is not None
        return self._own.fingerprint

    @property
    def topology(self) -> Topology:
        """This node and the peers that answered."""
        assert self._topology is not None
        return self._topology

    def description(self, node: NodeId) -> NodeDescription:
        """What a node of the topology said of itself when the job began."""
        return self._described[node]

    def peer(self, node: NodeId) -> Peer:
        """The peer with that id, which the topology knows."""
        return self._reached[node]

    def is_own(self, node: NodeId) -> bool:
        """Whether that is this node itself."""
        return node == self.worker.setup.node

    async def check_alive(self, node: NodeId) -> None:
        """Asks a node that was lost who it is now. Raises what says that it cannot go on."""
        assert self._own is not None
        answer = await _described(self._reached[node], _ALIVE_S, brief=True)
        if isinstance(answer, EapgError):
            raise answer
        _check_compatible(self._own, answer)

    async def discover(self, deadline: Deadline) -> tuple[str, ...]:
        """Describes every node; returns one sentence if some cannot be used, and goes on without them.

        Those are who does not answer, and who answers what cannot be: whatever a remote node says, it ends no job.
        """
        limit = deadline.capped(_DESCRIBE_S)
        own = await self.worker.describe()
        answers = await asyncio.gather(*(_described(peer, limit) for peer in self._peers))
        # this node is the last that is left for a step: what it lacks may still be swapped
        self._own, nodes, missing = own, [replace(own.node, memory_bytes=None)], []
        self._described[own.node.id] = own
        for peer, answer in zip(self._peers, answers, strict=True):
            try:
                answer = self._accepted(own, answer)
            except EapgError as error:
                missing.append(f"{peer.name} ({error.message.rstrip('.')})")
                continue
            self._reached[answer.node.id] = peer
            self._described[answer.node.id] = answer
            nodes.append(answer.node)
        self._topology = Topology(tuple(nodes))
        self.missing = tuple(missing)
        return (f"Going on without nodes that cannot be used: {', '.join(missing)}.",) if missing else ()

    def _accepted(self, own: NodeDescription, answer: NodeDescription | EapgError) -> NodeDescription:
        """What a node said of itself. Raises why it cannot take part."""
        if isinstance(answer, EapgError):
            raise answer
        _check_compatible(own, answer)
        if answer.node.id == own.node.id or answer.node.id in self._reached:
            raise InvalidRequest(f"Two nodes are called {answer.node.id!r}: give each daemon its own --node.")
        if answer.node.tier is Tier.DEVICE:
            raise InvalidRequest(
                f"{answer.node.id} is a device node: list only edge and cloud nodes as peers."
            )
        return answer


async def _described(peer: Peer, limit_s: float, *, brief: bool = False) -> NodeDescription | EapgError:
    try:
        async with asyncio.timeout(limit_s):
            return await peer.describe(brief=brief)
    except TimeoutError:
        return NodeUnavailable(f"no answer within {limit_s:g} s")
    except EapgError as error:
        return error
    except Exception as error:  # it costs the node, and not the job
        _log.exception("nobody foresaw what node %s says of itself", peer.name)
        return EngineFailure(f"its answer was not foreseen ({type(error).__name__}): see the device's log")


def _check_compatible(own: NodeDescription, other: NodeDescription) -> None:
    if other.draining:  # another attempt would be refused as well
        raise CapacityExceeded(
            f"Node {other.node.id} drains: place the work elsewhere.", node_id=other.node.id
        )
    if other.protocol != PROTOCOL_VERSION:
        raise Unsupported(
            f"Node {other.node.id} speaks protocol {other.protocol} and this one {PROTOCOL_VERSION}: install the"
            " same version on every node.",
            node_id=other.node.id,
        )
    if other.fingerprint != own.fingerprint:
        raise Unsupported(
            f"Node {other.node.id} has weights {other.fingerprint[:12]} and {own.node.id} has"
            f" {own.fingerprint[:12]}: install the same version on every node, or leave it out.",
            node_id=other.node.id,
        )
