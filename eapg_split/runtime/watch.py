"""The newest telemetry of every node of a job, and a word to whoever listens when one crosses a threshold."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final

from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError, Unsupported
from eapg_split.planner.crossings import Crossings
from eapg_split.planner.policy import Occasion, Trigger
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.peer import Peer

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0

Hear = Callable[[Occasion], None]
"""Called in the event loop; must not wait."""


class NodeWatch:
    """What is known of each node. Filled by `watched`; belongs to one event loop."""

    def __init__(self) -> None:
        self._latest: dict[NodeId, Telemetry] = {}
        self._crossings: dict[NodeId, Crossings] = {}
        self._listeners: dict[object, Hear] = {}

    def latest(self, node: NodeId) -> Telemetry | None:
        """The newest look; `at_s` is when it came. None while nothing was heard of the node."""
        return self._latest.get(node)

    def looks(self) -> Mapping[NodeId, Telemetry]:
        """The newest look at every node of which something was heard."""
        return self._latest

    def age_s(self, node: NodeId) -> float:
        """Seconds since the newest look came; infinite while nothing was heard."""
        look = self._latest.get(node)
        return math.inf if look is None else asyncio.get_running_loop().time() - look.at_s

    def listen(self, hear: Hear) -> Callable[[], None]:
        """`hear` is told of every crossing from now on, until what is returned is called."""
        key = object()
        self._listeners[key] = hear
        return lambda: self._listeners.pop(key, None) and None

    def seen(self, node: NodeId, look: Telemetry) -> None:
        """Takes a look and tells what it has crossed."""
        self._latest[node] = look
        for occasion in self._crossings.setdefault(node, Crossings(node)).seen(look):
            self.tell(occasion)

    def tell(self, occasion: Occasion) -> None:
        """Tells every listener; one that fails does not keep it from the others."""
        for hear in tuple(self._listeners.values()):
            try:
                hear(occasion)
            except Exception:
                _log.exception("a listener of telemetry failed")


@asynccontextmanager
async def watched(cluster: Cluster, *, interval_s: float = 1.0) -> AsyncIterator[NodeWatch]:
    """Watches every node of a cluster that has been discovered, this one too, as long as the block lasts.

    What they told when they were asked who they are is known from the beginning.
    """
    watch, own = NodeWatch(), cluster.worker
    tasks = []
    for node in cluster.topology.nodes:
        look = cluster.description(node.id).telemetry
        if look is not None:
            watch.seen(node.id, look)
        peer: Peer = LoopbackPeer(own) if cluster.is_own(node.id) else cluster.peer(node.id)
        tasks.append(asyncio.create_task(_follow(watch, node.id, peer, interval_s)))
    try:
        yield watch
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(watch: NodeWatch, node: NodeId, peer: Peer, interval_s: float) -> None:
    """Takes the looks of one node, again after each break, later and later while it stays away."""
    lost, pause_s = False, _FIRST_PAUSE_S
    while True:
        try:
            async with aclosing(peer.telemetry(interval_s)) as looks:
                async for look in looks:
                    if lost:
                        watch.tell(Occasion(Trigger.NODE, f"{node} tells how it is again.", node))
                    lost, pause_s = False, _FIRST_PAUSE_S
                    watch.seen(node, look)
        except Unsupported:
            return
        except EapgError as error:
            if not lost and watch.latest(node) is not None:
                watch.tell(Occasion(Trigger.NODE, f"{node} does not tell how it is: {error.message}", node))
            lost = True
        except Exception:
            _log.exception("the telemetry of %s is not followed any more", node)
            return
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
