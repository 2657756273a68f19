"""A full node: who waits sends nothing, who is refused is told when to come again, and nothing is left of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
import pytest

from eapg_split.domain.topology import Tier
from eapg_split.errors import CapacityExceeded
from eapg_split.rpc import methods
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert import order_to_proto
from eapg_split.rpc.gate import Gate
from eapg_split.rpc.seals import seal
from eapg_split.rpc.wire import RequestField, pack
from eapg_split.runtime.settings import Limits, PeerAddress
from eapg_split.runtime.worker import Worker
from tests.nodes import coded, ignore, order, served, state_of, toy_worker, undivided, until
from tests.toy_engine import open_slow_engine

_Call = grpc.aio.StreamStreamCall


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    limits = Limits(sessions=1, queued=2, arrival_s=20)
    worker = toy_worker("edge", Tier.EDGE, limits=limits, engine=lambda: open_slow_engine("toy"))
    yield worker
    worker.thread.close()


@pytest.fixture
async def address(worker: Worker) -> AsyncIterator[str]:
    async with served(worker) as address:
        yield address


@pytest.fixture
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address, options=methods.CHANNEL_OPTIONS) as channel:
        yield channel


async def begun(channel: grpc.aio.Channel, session: str) -> "_Call[bytes, bytes]":
    """A call that has said what it wants."""
    header = order_to_proto(order(5, 9, session=session), coded(undivided(5)).declaration)
    call: _Call[bytes, bytes] = channel.stream_stream(methods.RUN, None, None)(None)
    await call.write(pack(RequestField.HEADER, seal(header)))
    return call


async def test_who_waits_is_held_by_the_link(channel: grpc.aio.Channel, worker: Worker) -> None:
    first, second = await begun(channel, "s1"), await begun(channel, "s2")
    await until(lambda: worker.places.sessions == ("s1", "s2"))
    written = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            for _ in range(256):
                await second.write(pack(RequestField.CHUNK, bytes(2**18)))
                written += 1
    assert written < 128  # what the link itself holds, and no more
    assert worker.running_sessions == 1
    look = await worker.telemetry()
    assert look.sessions.value == 1
    second.cancel()
    await until(lambda: worker.places.sessions == ("s1",))
    first.cancel()
    await until(lambda: worker.places.sessions == ())


async def test_segments_wait_for_their_turn_and_all_are_computed(address: str, worker: Worker) -> None:
    peer, state = GrpcPeer(PeerAddress("edge", address)), undivided(5)
    try:
        runs = [
            asyncio.create_task(peer.run(order(5, 9, session=f"s{number}"), coded(state), ignore))
            for number in range(3)
        ]
        await until(lambda: len(worker.places.sessions) == 3)
        with pytest.raises(CapacityExceeded, match="lets 2 wait") as caught:
            await peer.run(order(5, 9, session="late"), coded(state), ignore)
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s >= 1
        queued = (await worker.telemetry()).queue_s
        for done in await asyncio.gather(*runs):
            assert state_of(done, state) == undivided(9)
        assert not queued.known or queued.value > 0
        await until(lambda: worker.places.sessions == ())
    finally:
        await peer.close()


async def test_a_backlog_counts_who_waits(worker: Worker) -> None:
    one = coded(undivided(5)).declaration
    workload = await worker.unroll(order(5, 9).request)
    for session in ("s1", "s2"):
        worker.backlog.expect(session, workload, 5, 9)
    worker.backlog.stepped("s1", 5, 2.0)
    async with worker.serving.admitted(order(5, 9, session="s1"), one):
        alone_s = (await worker.telemetry()).queue_s.value
        waiting = asyncio.create_task(_admitted(worker, "s2"))
        await until(lambda: len(worker.places.sessions) == 2)
        assert (await worker.telemetry()).queue_s.value == pytest.approx(2 * alone_s)
        assert worker.backlog.retry_after_s(worker.places.sessions) == pytest.approx(2 * alone_s)
    await waiting
    assert (await worker.telemetry()).queue_s.value == 0


async def _admitted(worker: Worker, session: str) -> None:
    async with worker.serving.admitted(order(5, 9, session=session), coded(undivided(5)).declaration):
        pass


def test_a_gate_counts_all_callers_and_each() -> None:
    gate = Gate("watchers", 3, 2)
    with gate.passed("a"), gate.passed("a"):
        with pytest.raises(CapacityExceeded, match="2 of one caller") as caught, gate.passed("a"):
            pass
        assert caught.value.retry_after_s == 1.0
        with gate.passed("b"), pytest.raises(CapacityExceeded), gate.passed("c"):
            pass
    assert len(gate) == 0
