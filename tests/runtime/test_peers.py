"""Both kinds of peer keep the contract, and what is cancelled leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from eapg_split.domain.topology import Tier
from eapg_split.runtime.held import HeldStates
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.peer import Peer
from eapg_split.runtime.worker import Worker
from tests.contracts.check_peer import check_peer, check_references
from tests.nodes import coded, grpc_peer, ignore, order, toy_worker, undivided, until
from tests.toy_engine import open_slow_engine


@pytest.fixture(params=["loopback", "grpc"])
async def peer_and_worker(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Peer, Worker]]:
    worker = toy_worker("edge", Tier.EDGE, engine=lambda: open_slow_engine("toy"))
    if request.param == "loopback":
        yield LoopbackPeer(worker), worker
    else:
        async with grpc_peer(worker) as peer:
            yield peer, worker
    worker.thread.close()


async def test_contract(peer_and_worker: tuple[Peer, Worker]) -> None:
    await check_peer(*peer_and_worker)


async def test_what_a_node_has_had_is_named_and_not_sent(peer_and_worker: tuple[Peer, Worker]) -> None:
    peer, worker = peer_and_worker
    await check_references(peer, lambda: setattr(worker.serving, "held", HeldStates(worker.setup.limits)))


async def test_a_cancelled_segment_leaves_no_session(peer_and_worker: tuple[Peer, Worker]) -> None:
    peer, worker = peer_and_worker
    await peer.describe()
    running = asyncio.create_task(peer.run(order(5, 9), coded(undivided(5)), ignore))
    await until(lambda: worker.running_sessions == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not worker.running_sessions and not worker.thread.busy)
    assert (await peer.run(order(5, 9, attempt=2), coded(undivided(5)), ignore)).body_bytes
