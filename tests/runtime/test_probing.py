"""Links are looked at when a job needs to know them, and for few bytes."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from eapg_split.codecs.base import Part
from eapg_split.domain.topology import Tier
from eapg_split.errors import NodeUnavailable
from eapg_split.planner import probe_budget
from eapg_split.planner.link_rates import LinkRates, Network
from eapg_split.planner.models.radio import Technology
from eapg_split.planner.probe_budget import (
    BYTES_PER_HOUR,
    DARK_S,
    FRESH_S,
    LEAST_TRAIN_BYTES,
    MOST_TRAIN_BYTES,
    PATIENCE_S,
    ProbeBudget,
    train_bytes,
)
from eapg_split.rpc.probe import Probed
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import Goodput
from eapg_split.runtime.goodput import Sample
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.probing import LinkProber
from tests.nodes import grpc_peer, toy_worker


class Shaped(LoopbackPeer):
    """Behind a link of that speed, as far as its probes tell."""

    def __init__(self, bits_per_s: float, name: str = "edge") -> None:
        super().__init__(toy_worker(name, Tier.EDGE))
        self.bits_per_s = bits_per_s
        self.sizes: list[int] = []

    async def probe(self, parts: Sequence[Part]) -> Probed:
        size = sum(len(part.body) for part in parts)
        self.sizes.append(size)
        seconds = 8 * size / self.bits_per_s
        await asyncio.sleep(seconds)
        sample = Sample(size, seconds, 0)
        return Probed(tuple(parts), 2 * seconds, (sample,), (sample,))


async def cluster_of(*peers: LoopbackPeer, network: Network | None = None) -> Cluster:
    cluster = Cluster(toy_worker("device", Tier.DEVICE), peers)
    await cluster.discover(Deadline())
    if network is not None:
        cluster.worker.links = LinkRates("device", network, clock=time.monotonic)
    return cluster


async def refresh_links(cluster: Cluster, within_s: float = 5.0) -> None:
    """One look, waited for."""
    prober = LinkProber(cluster)
    await prober.first_look(within_s)
    await prober.close()


class Far(Shaped):
    """A round trip takes longer than a job waits for it."""

    async def probe(self, parts: Sequence[Part]) -> Probed:
        await asyncio.sleep(0.2)
        return await super().probe(parts)


async def test_a_look_that_does_not_come_back_in_time_says_that_the_node_is_far() -> None:
    cluster = await cluster_of(Far(80e6), Shaped(80e6, "cloud"))
    prober = LinkProber(cluster)
    await prober.first_look(0.1)
    far, near = (cluster.worker.links.estimate("device", node) for node in ("edge", "cloud"))
    await prober.close()
    assert far is not None
    assert near is not None
    assert far.rtt_s == 0.1 > near.rtt_s


async def test_a_stale_link_is_probed_once_in_both_directions() -> None:
    peer = Shaped(80e6)
    cluster = await cluster_of(peer)
    await refresh_links(cluster)
    links = cluster.worker.links
    for ends in (("device", "edge"), ("edge", "device")):
        assert links.bits_per_s(*ends) == pytest.approx(80e6)
        found = links.estimate(*ends)
        assert found is not None
        assert found.rtt_s < 0.01
    assert peer.sizes == [1, LEAST_TRAIN_BYTES, MOST_TRAIN_BYTES]
    await refresh_links(cluster)
    assert len(peer.sizes) == 3


async def test_a_link_that_was_just_used_is_not_probed() -> None:
    peer = Shaped(80e6)
    cluster = await cluster_of(peer)
    for source, target in (("device", "edge"), ("edge", "device")):
        cluster.worker.links.observe(Goodput(source, target, 100_000, 0.01, 0.0))
    await refresh_links(cluster)
    assert peer.sizes == []


@pytest.mark.parametrize("network", [Network(Technology.LTE), Network(metered=True)])
async def test_metered_links_are_left_alone(network: Network) -> None:
    peer = Shaped(80e6)
    cluster = await cluster_of(peer, network=network)
    await refresh_links(cluster)
    assert peer.sizes == []
    allowed = await cluster_of(peer, network=Network(Technology.LTE, probe_metered=True))
    await refresh_links(allowed)
    assert len(peer.sizes) == 3


async def test_a_link_that_is_too_slow_to_probe_is_known_to_be_slow() -> None:
    cluster = await cluster_of(Shaped(0.1e6), Shaped(80e6, "other"))
    await refresh_links(cluster)
    rate = cluster.worker.links.bits_per_s("device", "edge")
    assert rate is not None
    assert rate == pytest.approx(8 * LEAST_TRAIN_BYTES / PATIENCE_S)
    assert cluster.worker.links.bits_per_s("device", "other") == pytest.approx(80e6)


async def test_a_job_does_not_wait_for_a_slow_link() -> None:
    cluster = await cluster_of(Shaped(0.5e6))
    loop, prober = asyncio.get_running_loop(), LinkProber(cluster)
    began = loop.time()
    await prober.first_look(0.1)
    assert loop.time() - began < 0.4
    assert cluster.worker.links.stale("device", "edge")
    await asyncio.sleep(0.7)
    assert cluster.worker.links.bits_per_s("device", "edge") == pytest.approx(0.5e6)
    await prober.close()


@pytest.mark.parametrize(("rate", "pause_s"), [(80e6, FRESH_S), (0.1e6, DARK_S)])
async def test_links_are_looked_at_again_while_a_job_runs(rate: float, pause_s: float) -> None:
    now = [0.0]
    peer = Shaped(80e6)
    cluster = await cluster_of(peer)
    cluster.worker.links = LinkRates("device", clock=lambda: now[0])
    prober = LinkProber(cluster)
    for source, target in (("device", "edge"), ("edge", "device")):
        cluster.worker.links.observe(Goodput(source, target, 100_000, 8 * 100_000 / rate, 0.0))
    for moment, looks in ((0.9 * pause_s, 0), (1.1 * pause_s, 1)):
        now[0] = moment
        prober.look_again()
        await asyncio.sleep(0.2)
        assert peer.sizes.count(1) == looks
    await prober.close()


async def test_a_node_that_cannot_be_probed_is_no_error() -> None:
    class Gone(Shaped):
        async def probe(self, parts: Sequence[Part]) -> Probed:
            raise NodeUnavailable("it went away.")

    cluster = await cluster_of(Gone(1e6), LoopbackPeer(toy_worker("other", Tier.EDGE)))
    await refresh_links(cluster)
    assert cluster.worker.links.stale("device", "edge")
    assert cluster.worker.links.stale("device", "other")


async def test_a_real_link_is_measured() -> None:
    async with grpc_peer(toy_worker("edge", Tier.EDGE)) as peer:
        cluster = Cluster(toy_worker("device", Tier.DEVICE), (peer,))
        await cluster.discover(Deadline())
        await refresh_links(cluster, 10.0)
        found = cluster.worker.links.estimate("device", "edge")
    assert found is not None
    assert found.bits_per_s > 1e6
    assert 0 < found.rtt_s < 5


@pytest.mark.parametrize(("rate", "size"), [(0.0, 32768), (1e6, 32768), (7e6, 81920), (1e9, 262144)])
def test_trains_are_as_long_as_they_must(rate: float, size: int) -> None:
    assert train_bytes(rate) == size


def test_probes_cost_at_most_one_percent_of_the_link() -> None:
    now = [0.0]
    budget = ProbeBudget(lambda: now[0])
    size, rate, spent = 2 * 128 * 1024, 20e6, 0
    assert budget.take("edge", size, rate)
    assert budget.take("edge", size, rate)
    assert not budget.take("edge", size, rate)
    assert budget.take("cloud", size, rate)
    for _ in range(600):
        now[0] += 1.0
        spent += size if budget.take("edge", size, rate) else 0
    assert 0.5 * 0.01 < 8 * spent / (600 * rate) <= 0.0101


def test_probes_cost_a_bounded_number_of_bytes_an_hour() -> None:
    now = [0.0]
    budget = ProbeBudget(lambda: now[0])
    size, spent = 2 * MOST_TRAIN_BYTES, 0
    for _ in range(3599):
        now[0] += 1.0
        spent += size if budget.take("edge", size, 1e9) else 0
    assert spent == BYTES_PER_HOUR
    now[0] += 3600
    assert budget.take("edge", size, 1e9)


async def test_a_link_that_changed_is_looked_at_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second train follows the one that was off, and two of them that agree are believed."""
    monkeypatch.setattr(probe_budget, "FRESH_S", 0.02)
    monkeypatch.setattr(probe_budget, "DOUBT_S", 0.01)
    peer = Shaped(20e6)
    cluster = await cluster_of(peer)
    prober = LinkProber(cluster)
    await prober.first_look(5.0)
    peer.bits_per_s = 1e6
    async with asyncio.timeout(10):
        while (cluster.worker.links.bits_per_s("device", "edge") or 0.0) > 1.5e6:
            prober.look_again()
            await asyncio.sleep(0.01)
    await prober.close()
    assert peer.sizes.count(LEAST_TRAIN_BYTES) == 3
