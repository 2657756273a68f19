"""Looks at links that nobody used of late, before a job is planned on them and while it may still use them.

The intervals are those with which a replay of recorded traces came closest to who knows the trace
(benchmarks/planner_replay.py), within the same budget of bytes.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

from eapg_split.codecs.base import Part
from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError
from eapg_split.planner.priors import assumed_link
from eapg_split.planner.probe_budget import (
    LEAST_TRAIN_BYTES,
    PART_BYTES,
    PATIENCE_S,
    QUICK_S,
    train_bytes,
)
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import Goodput
from eapg_split.runtime.goodput import Sample
from eapg_split.runtime.observed import LinkProbed, RoundTrip

FIRST_LOOK_S: Final = 0.25  # that a job waits before it plans
_MOST_SHOWN: Final = 256  # that nobody has taken yet
_log = logging.getLogger(__name__)


class Echo(Protocol):
    """What came of a probe: how long it took, and the goodput of both ways."""

    @property
    def seconds(self) -> float: ...

    @property
    def outbound(self) -> tuple[Sample, ...]: ...

    @property
    def back(self) -> tuple[Sample, ...]: ...


@runtime_checkable
class Probing(Protocol):
    """A peer that there is a link to."""

    async def probe(self, parts: Sequence[Part]) -> Echo:
        """Sends parts to the node and back."""
        ...


class LinkProber:
    """Keeps what is known of the links to a job's nodes fresh, within the budget. One per job; `close` it.

    Where the network is metered, and nobody allowed it, nothing is sent.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._links = cluster.worker.links
        self._own = cluster.worker.setup.node
        self._looks: dict[NodeId, asyncio.Task[None]] = {}
        self._shown: deque[LinkProbed | RoundTrip] = deque(maxlen=_MOST_SHOWN)
        own = cluster.topology.node(self._own)
        self._others = [node.id for node in cluster.topology.nodes if node.id != self._own]
        for node in self._others:
            other = cluster.topology.node(node)
            self._links.expect(own.id, node, assumed_link(own.tier, other.tier))
            self._links.expect(node, own.id, assumed_link(other.tier, own.tier))

    async def first_look(self, within_s: float = FIRST_LOOK_S) -> None:
        """Looks at stale links, all at once, and waits so long for it; what takes longer goes on meanwhile."""
        self._start(
            [node for node in self._others if any(self._links.stale(*way) for way in self._ways(node))]
        )
        if self._looks:
            await asyncio.wait(self._looks.values(), timeout=within_s)
        for node, look in self._looks.items():
            if not look.done():
                self._links.late(self._own, node, within_s)

    def look_again(self) -> None:
        """Starts a look at links of which nothing was seen for some seconds: fewer where they were dark or changed."""
        self._start([node for node in self._others if self._links.due(self._own, node)])

    def taken(self) -> list[LinkProbed | RoundTrip]:
        """What the looks have shown since this was called last; moments are the loop's."""
        shown = list(self._shown)
        self._shown.clear()
        return shown

    async def close(self) -> None:
        """Breaks off what still runs."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)

    def _ways(self, node: NodeId) -> tuple[tuple[NodeId, NodeId], tuple[NodeId, NodeId]]:
        return (self._own, node), (node, self._own)

    def _start(self, nodes: Iterable[NodeId]) -> None:
        if not self._links.network.may_probe:
            return
        for node in nodes:
            running = self._looks.get(node)
            if running is None or running.done():
                self._looks[node] = asyncio.create_task(self._look(node))

    async def _look(self, node: NodeId) -> None:
        """A round trip, then a short train, and a longer one where that went through at once."""
        peer = self._cluster.peer(node)
        if not isinstance(peer, Probing) or not self._afford(node, 1):
            return
        size = 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                seconds = (await peer.probe(_parts(1, size))).seconds
                self._links.round_trip(self._own, node, seconds)
                self._shown.append(RoundTrip(node, seconds, asyncio.get_running_loop().time()))
                size = LEAST_TRAIN_BYTES
                while self._afford(node, size):
                    seconds = await self._train(node, peer, size)
                    longer = train_bytes(self._believed(node))
                    if seconds > QUICK_S or longer <= size:
                        break
                    size = longer
        except TimeoutError:
            self._at_most(node, size)
        except EapgError as error:
            _log.info("the link to %s was not probed: %s", node, error.message)

    async def _train(self, node: NodeId, peer: Probing, size: int) -> float:
        echo = await peer.probe(_parts(size // PART_BYTES, PART_BYTES))
        now_s = asyncio.get_running_loop().time()
        for (source, target), samples in zip(self._ways(node), (echo.outbound, echo.back), strict=True):
            for sample in samples:
                self._observe(Goodput(source, target, sample.size_bytes, sample.seconds, now_s))
        return echo.seconds

    def _afford(self, node: NodeId, size: int) -> bool:
        return self._links.probes.take(node, 2 * size, self._believed(node))

    def _believed(self, node: NodeId) -> float:
        """Bits a second towards a node."""
        topology = self._cluster.topology
        assumed = assumed_link(topology.node(self._own).tier, topology.node(node).tier)
        return self._links.bits_per_s(self._own, node) or assumed.bits_per_s

    def _at_most(self, node: NodeId, size: int) -> None:
        """The link carried less than all of it in the time: news only where more was believed."""
        self._links.late(self._own, node, PATIENCE_S)
        for source, target in self._ways(node):
            believed = self._links.bits_per_s(source, target)
            if believed is None or believed > 8 * size / PATIENCE_S:
                now_s = asyncio.get_running_loop().time()
                self._observe(Goodput(source, target, size, PATIENCE_S, now_s), broken_off=True)

    def _observe(self, sample: Goodput, *, broken_off: bool = False) -> None:
        self._links.observe(sample)
        ends = sample.source, sample.target
        self._shown.append(LinkProbed(*ends, sample.bytes, sample.seconds, sample.at_s, broken_off))


def _parts(count: int, size: int) -> list[Part]:
    """What no compression along the way can make smaller."""
    return [Part.of(random.randbytes(size)) for _ in range(count)]
