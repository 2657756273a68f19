"""A look at links that nobody used of late, right before a job is planned on them, within a budget of bytes."""

import asyncio
import logging
import random
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

from eapg_split.codecs.base import Part
from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError
from eapg_split.planner.priors import assumed_link
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import Goodput
from eapg_split.runtime.goodput import Sample
from eapg_split.runtime.links import LinkRates
from eapg_split.runtime.probe_budget import LEAST_TRAIN_BYTES, MOST_TRAIN_BYTES

_PART_BYTES: Final = 16 * 1024
_TRAIN_S: Final = 0.2  # how long a train should take
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


async def refresh_links(cluster: Cluster, *, within_s: float = 1.0) -> None:
    """Probes the links to the cluster's nodes that are stale, all at once; never takes longer than `within_s`.

    Also says what is assumed of each link until it is known. Where the network is metered, and nobody allowed it,
    nothing is sent. A probe that does not come back in time tells that the link is slow: such a link is believed to
    carry no more than what was sent in that time.
    """
    topology, links = cluster.topology, cluster.worker.links
    own = topology.node(cluster.worker.setup.node)
    for node in topology.nodes:
        for source, target in ((own, node), (node, own)):
            if source is not target:
                links.expect(source.id, target.id, assumed_link(source.tier, target.tier))
    if not links.network.may_probe:
        return
    others = [node.id for node in topology.nodes if not cluster.is_own(node.id)]
    stale = [node for node in others if links.stale(own.id, node) or links.stale(node, own.id)]
    await asyncio.gather(*(_probe(cluster, own.id, node, within_s) for node in stale))


async def _probe(cluster: Cluster, own: NodeId, node: NodeId, within_s: float) -> None:
    peer, links = cluster.peer(node), cluster.worker.links
    believed = (
        links.bits_per_s(own, node)
        or assumed_link(cluster.topology.node(own).tier, cluster.topology.node(node).tier).bits_per_s
    )
    size = train_bytes(believed)
    if not isinstance(peer, Probing) or not links.probes.take(node, 2 * size, believed):
        return
    try:
        async with asyncio.timeout(within_s):
            links.round_trip(own, node, (await peer.probe(_parts(1, 1))).seconds)
            echo = await peer.probe(_parts(size // _PART_BYTES, _PART_BYTES))
    except TimeoutError:
        _at_most(links, own, node, size, within_s)
        return
    except EapgError as error:
        _log.info("the link to %s was not probed: %s", node, error.message)
        return
    _observe(links, own, node, echo.outbound)
    _observe(links, node, own, echo.back)


def train_bytes(bits_per_s: float) -> int:
    """How much to send in each direction so that it takes about a fifth of a second, within the bounds."""
    wanted = int(bits_per_s / 8 * _TRAIN_S) // _PART_BYTES * _PART_BYTES
    return min(MOST_TRAIN_BYTES, max(LEAST_TRAIN_BYTES, wanted))


def _observe(links: LinkRates, source: NodeId, target: NodeId, samples: Iterable[Sample]) -> None:
    for sample in samples:
        links.observe(Goodput(source, target, sample.size_bytes, sample.seconds, 0.0))


def _at_most(links: LinkRates, own: NodeId, node: NodeId, size: int, seconds: float) -> None:
    """The link carried less than all of it: news only where more was believed."""
    bound = 8 * size / seconds
    for source, target in ((own, node), (node, own)):
        believed = links.bits_per_s(source, target)
        if believed is None or believed > bound:
            links.observe(Goodput(source, target, size, seconds, 0.0))


def _parts(count: int, size: int) -> list[Part]:
    """What no compression along the way can make smaller."""
    return [Part.of(random.randbytes(size)) for _ in range(count)]
