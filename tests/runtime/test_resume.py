"""A hand-off that broke off goes on where it broke: only what is missing is sent again."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import pytest

from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import Tier
from eapg_split.runtime.handoff import WINDOW_PARTS, Outgoing, Ready
from eapg_split.runtime.held import HeldStates
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.peer import Peer, SegmentDone, SegmentOrder
from eapg_split.runtime.settings import Limits
from eapg_split.runtime.worker import Worker
from tests.nodes import SMALL, coded, grpc_peer, ignore, order, state_of, toy_worker, undivided, until

BREAK = 2
LONG = replace(SMALL, seconds=2.0)


def _order(attempt: int = 1) -> SegmentOrder:
    return replace(order(6, 9, attempt=attempt), request=LONG.without_prompt())


def _state() -> Latent:
    return undivided(6, LONG)


def _is_right(done: SegmentDone) -> bool:
    return state_of(done, _state()) == undivided(9, LONG)


class Sent(Outgoing):
    """Notes from which part on it is sent; the first time the link breaks after a few parts."""

    def __init__(self, state: Outgoing) -> None:
        super().__init__(state.declaration.items, state._encodings)
        self.began_with: list[int] = []
        self.sent = 0
        self.broken = asyncio.Event()

    async def batches(
        self, first: int = 0, *, most: int = WINDOW_PARTS
    ) -> AsyncGenerator[tuple[Ready, ...], None]:
        self.began_with.append(first)
        async for batch in super().batches(first, most=most):
            for ready in batch:
                if len(self.began_with) == 1 and self.sent == BREAK:
                    self.broken.set()
                    await asyncio.Event().wait()
                self.sent += 1
                yield (ready,)


@pytest.fixture(autouse=True)
def _one_frame_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eapg_split.codecs.base.PART_RAW_BYTES", 1)


@pytest.fixture(params=["loopback", "grpc"])
async def peer_and_worker(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Peer, Worker]]:
    worker = toy_worker("edge", Tier.EDGE)
    if request.param == "loopback":
        yield LoopbackPeer(worker), worker
    else:
        async with grpc_peer(worker) as peer:
            yield peer, worker
    worker.thread.close()


async def _broken_off(peer: Peer, worker: Worker) -> Sent:
    state = Sent(coded(_state()))
    assert state.count > BREAK + 1
    running = asyncio.create_task(peer.run(_order(), state, ignore))
    await state.broken.wait()
    await until(lambda: _arrived(worker) == BREAK)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await until(lambda: worker.running_sessions == 0)
    return state


def _arrived(worker: Worker) -> int:
    held = worker.serving.held._by_session.get("s1")
    return held.reception.taken if held is not None and held.reception is not None else -1


async def test_only_what_is_missing_is_sent_again(peer_and_worker: tuple[Peer, Worker]) -> None:
    peer, worker = peer_and_worker
    state = await _broken_off(peer, worker)
    done = await peer.run(_order(2), state, ignore)
    assert _is_right(done)
    assert state.began_with == [0, BREAK]
    assert state.sent == state.count


async def test_nothing_is_sent_again_for_a_result_that_was_lost(peer_and_worker: tuple[Peer, Worker]) -> None:
    peer, _ = peer_and_worker
    state = Sent(coded(_state()))
    state.began_with.append(0)
    first = await peer.run(_order(), state, ignore)
    again = await peer.run(_order(2), state, ignore)
    assert again.declaration == first.declaration
    assert state.sent == state.count


async def test_a_node_that_forgot_is_sent_everything(peer_and_worker: tuple[Peer, Worker]) -> None:
    peer, worker = peer_and_worker
    state = await _broken_off(peer, worker)
    worker.serving.held = HeldStates(Limits())
    done = await peer.run(_order(2), state, ignore)
    assert _is_right(done)
    assert state.began_with == [0, 0]


async def test_another_state_does_not_go_on_from_there(peer_and_worker: tuple[Peer, Worker]) -> None:
    peer, worker = peer_and_worker
    await _broken_off(peer, worker)
    other = Sent(coded(_state()))
    other.began_with.append(0)
    done = await peer.run(_order(2), other, ignore)
    assert _is_right(done)
    assert other.began_with == [0, 0]


async def test_what_is_held_is_bounded() -> None:
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(held_state_bytes=1))
    state = await _broken_off_unheld(LoopbackPeer(worker), worker)
    await LoopbackPeer(worker).run(_order(2), state, ignore)
    assert state.began_with == [0, 0]
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(kept_result_s=0.01))
    await LoopbackPeer(worker).run(_order(), coded(_state()), ignore)
    await until(lambda: not worker.serving.held._by_session)


async def _broken_off_unheld(peer: Peer, worker: Worker) -> Sent:
    state = Sent(coded(_state()))
    running = asyncio.create_task(peer.run(_order(), state, ignore))
    await state.broken.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not worker.serving.held._by_session
    return state
