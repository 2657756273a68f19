"""What a peer makes of nodes that are silent or slow, and of calls that are over sooner than it knows."""

import asyncio
import time

import grpc
import pytest

from eapg_split.domain.topology import Tier
from eapg_split.errors import NodeUnavailable
from eapg_split.rpc import client
from eapg_split.rpc.client import GrpcPeer, errors_of
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.settings import PeerAddress
from tests.nodes import coded, grpc_peer, ignore, order, state_of, toy_worker, undivided
from tests.toy_engine import open_engine


def slow_engine() -> Engine:
    time.sleep(0.5)
    return open_engine("toy")


async def test_a_node_that_says_nothing_is_given_up_after_three_heartbeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "LOST_AFTER_S", 0.1)
    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        peer = GrpcPeer(PeerAddress("edge", f"127.0.0.1:{port}"))
        async with asyncio.timeout(5):
            with pytest.raises(NodeUnavailable, match=r"Node edge does not answer.*0\.1 s"):
                await peer.describe()
        await peer.close()
        left.set()


async def test_a_node_that_still_opens_its_engine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LOST_AFTER_S", 0.3)
    worker = toy_worker("edge", Tier.EDGE, engine=slow_engine)
    async with grpc_peer(worker) as peer:
        assert (await peer.describe()).node.id == "edge"
    worker.thread.close()


async def test_a_result_counts_where_nobody_hears_any_more_that_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def too_late(call: object) -> None:
        raise grpc.aio.InternalError('Failed "execute_batch"')

    monkeypatch.setattr(grpc.aio._call.StreamStreamCall, "done_writing", too_late)  # type: ignore[attr-defined]
    worker, state = toy_worker("edge", Tier.EDGE), undivided(5)
    async with grpc_peer(worker) as peer:
        done = await peer.run(order(5, 7), coded(state), ignore)
        assert state_of(done, state) == undivided(7)
    worker.thread.close()


async def test_what_grpc_itself_cannot_do_any_more_means_that_the_node_is_gone() -> None:
    with pytest.raises(NodeUnavailable, match="Node edge ended a call") as caught:
        async with errors_of("edge"):
            raise grpc.aio.InternalError('Failed "execute_batch"')
    assert caught.value.node_id == "edge"
