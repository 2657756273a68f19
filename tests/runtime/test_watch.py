"""What a job knows of its nodes while it runs, and who is told when that changes."""

import asyncio
import threading
from contextlib import AsyncExitStack, aclosing, suppress

import pytest

from eapg_split.domain.telemetry import Quality, Reading, Telemetry, reading
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.planner.policy import Occasion, Trigger
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.peer import Peer
from eapg_split.runtime.telemetry import senses as senses_module
from eapg_split.runtime.telemetry.senses import Senses
from eapg_split.runtime.telemetry.source import BusySeconds
from eapg_split.runtime.watch import NodeWatch, watched
from eapg_split.runtime.worker import Worker
from tests.nodes import coded, grpc_peer, ignore, order, served, toy_worker, undivided, until
from tests.toy_engine import open_slow_engine

EDGE = NodeId("edge")


class Said:
    """A source that says what the test wants."""

    def __init__(self, **values: float) -> None:
        self.values = values

    def __call__(self, busy_s: BusySeconds) -> "Said":
        del busy_s
        return self

    def read(self) -> Telemetry:
        return Telemetry.of({name: reading(name, value) for name, value in self.values.items()})


def edge_that_says(said: Said) -> Worker:
    worker = toy_worker("edge", Tier.EDGE)
    worker.senses = Senses(said)
    return worker


async def cluster_of(*peers: Peer) -> Cluster:
    cluster = Cluster(toy_worker("device", Tier.DEVICE), peers)
    await cluster.discover(Deadline())
    return cluster


async def test_every_node_is_watched_and_this_one_too() -> None:
    said = Said(charge=0.8, temperature_c=30.0)
    async with grpc_peer(edge_that_says(said)) as peer:
        cluster = await cluster_of(peer)
        heard: list[Occasion] = []
        async with watched(cluster, interval_s=0.1) as watch:
            watch.listen(heard.append)
            await until(lambda: watch.latest(EDGE) is not None and watch.latest(NodeId("device")) is not None)
            assert watch.age_s(EDGE) < 5
            assert watch.age_s(NodeId("nobody")) == float("inf")
            said.values = {"charge": 0.19, "temperature_c": 41.0}
            await until(lambda: len(heard) >= 2)
        assert {occasion.trigger for occasion in heard} == {Trigger.HEAT, Trigger.BATTERY}
        assert all(occasion.node == EDGE for occasion in heard)
        look = watch.latest(EDGE)
        assert look is not None
        assert look.charge == Reading(0.19, Quality.MEASURED)
        assert look.sessions == Reading(0.0, Quality.MEASURED)


async def test_a_stream_that_breaks_is_told_and_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eapg_split.runtime.watch._FIRST_PAUSE_S", 0.05)
    worker = edge_that_says(Said(load=0.5))
    heard: list[Occasion] = []

    class Broken(LoopbackPeer):
        """Its first stream ends."""

        streams = 0

        async def telemetry(self, interval_s: float = 1.0):  # type: ignore[no-untyped-def]
            from eapg_split.errors import NodeUnavailable

            self.streams += 1
            async with aclosing(super().telemetry(interval_s)) as looks:
                async for look in looks:
                    yield look
                    if self.streams == 1:
                        raise NodeUnavailable("it went away.")

    async with watched(await cluster_of(Broken(worker)), interval_s=0.05) as watch:
        watch.listen(heard.append)
        await until(lambda: len(heard) == 2)
    assert [occasion.trigger for occasion in heard] == [Trigger.NODE, Trigger.NODE]
    assert "went away" in heard[0].reason
    assert "again" in heard[1].reason


async def test_nothing_is_left_behind() -> None:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(toy_worker("edge", Tier.EDGE)))
        del address
        before = asyncio.all_tasks()
        async with watched(await cluster_of(LoopbackPeer(toy_worker("other", Tier.EDGE))), interval_s=0.1):
            await asyncio.sleep(0.05)
        assert asyncio.all_tasks() <= before


def test_a_listener_that_fails_does_not_disturb_the_others() -> None:
    watch, heard = NodeWatch(), list[Occasion]()

    def fails(occasion: Occasion) -> None:
        raise RuntimeError(occasion.reason)

    watch.listen(fails)
    stop = watch.listen(heard.append)
    watch.seen(EDGE, Telemetry(temperature_c=Reading(30, Quality.MEASURED)))
    watch.seen(EDGE, Telemetry(temperature_c=Reading(50, Quality.MEASURED)))
    assert len(heard) == 1
    stop()
    watch.seen(EDGE, Telemetry(temperature_c=Reading(20, Quality.MEASURED)))
    assert len(heard) == 1


async def test_queue_sessions_and_weights_are_the_workers() -> None:
    worker = toy_worker("edge", Tier.EDGE, engine=lambda: open_slow_engine("toy"))
    look = await worker.telemetry()
    assert look.queue_s == Reading(0.0, Quality.MEASURED)
    assert look.resident == ()
    async with grpc_peer(worker) as peer:
        running = asyncio.create_task(peer.run(order(5, 9), coded(undivided(5)), ignore))
        await until(lambda: worker.running_sessions == 1)
        queues = []
        while not running.done():
            queues.append((await worker.telemetry()).queue_s)
            await asyncio.sleep(0.02)
        await running
    known = [queue.value for queue in queues if queue.known]
    assert not queues[0].known or queues[0].value == 0.0  # nothing was ever computed here
    assert max(known) > 0
    await until(lambda: worker.running_sessions == 0)
    look = await worker.telemetry()
    assert look.queue_s.value == 0.0
    assert look.resident
    assert worker.thread.busy_s() > 0
    worker.thread.close()


async def test_a_sensor_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senses_module, "_PATIENCE_S", 0.05)
    go_on, said = threading.Event(), Said(load=0.25)

    class Hangs:
        reads = 0

        def read(self) -> Telemetry:
            self.reads += 1
            if self.reads > 1:
                go_on.wait(20)
            return said.read()

    senses = Senses(Hangs())
    assert (await senses.look()).load.known
    await asyncio.sleep(0.12)
    async with asyncio.timeout(2):
        assert (await senses.look()).load.known  # the look before
    assert senses.busy
    monkeypatch.setattr(senses_module, "_FORGET_S", 0.0)
    assert not (await senses.look()).load.known
    go_on.set()
    await until(lambda: not senses.busy)
    senses.close()


async def test_a_source_that_raises_makes_everything_unknown() -> None:
    class Raises:
        def read(self) -> Telemetry:
            raise FileNotFoundError("/sys/class/power_supply")

    senses = Senses(Raises())
    with suppress(AssertionError):
        assert await senses.look() == Telemetry()
    assert not (await senses.look()).charge.known
    senses.close()


async def test_what_a_node_told_when_it_was_asked_who_it_is_is_known_at_once() -> None:
    cluster = await cluster_of(LoopbackPeer(edge_that_says(Said(charge=0.8))))
    async with watched(cluster) as watch:  # nothing that follows the nodes has run yet
        look = watch.latest(EDGE)
        assert look is not None
        assert look.charge == Reading(0.8, Quality.MEASURED)
        assert watch.age_s(EDGE) < 5
        assert watch.latest(NodeId("device")) is not None
