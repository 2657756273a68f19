"""What is urgent goes first, and previews never stand in the way of a result."""

import asyncio

import pytest

from eapg_split.errors import NodeUnavailable
from eapg_split.rpc.outbox import CREDIT, MAX_PREVIEWS, WINDOW_MESSAGES, Outbox, open_outbox
from tests.nodes import until


class Link:
    """Takes one message each time it is let."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self._free = asyncio.Semaphore(0)

    async def write(self, message: bytes) -> None:
        await self._free.acquire()
        self.written.append(message)

    async def take(self, count: int) -> None:
        for _ in range(count):
            self._free.release()
            await _settle()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def _flood(outbox: Outbox, frames: int) -> None:
    for frame in range(frames):
        outbox.preview([f"preview {frame}.{band}".encode() for band in range(3)])


async def test_a_flood_of_previews_delays_nothing() -> None:
    link = Link()
    async with open_outbox(link.write) as outbox:
        _flood(outbox, 20)
        await link.take(1)
        outbox.step(b"step")
        outbox.say(b"ack")
        finishing = asyncio.create_task(_finish(outbox, [b"result", b"part 0", b"part 1"]))
        await _settle()
        await link.take(100)
        await finishing
    # one preview was written and one was being written when the result came
    assert link.written[:7] == [
        b"preview 0.0",
        b"preview 0.1",
        b"ack",
        b"result",
        b"part 0",
        b"part 1",
        b"step",
    ]
    assert link.written[-1] == b"done"
    previews = [f"preview {frame}.{band}".encode() for frame in range(20) for band in range(3)]
    assert [message for message in link.written if message.startswith(b"preview")] == previews


async def _finish(outbox: Outbox, messages: list[bytes]) -> None:
    for message in messages:
        await outbox.send(message)
    await outbox.finish(b"done")


async def test_few_previews_are_on_their_way_unread() -> None:
    link = Link()
    async with open_outbox(link.write) as outbox:
        _flood(outbox, 4)
        await link.take(10)
        assert len(link.written) == CREDIT
        outbox.taken()
        await link.take(10)
        assert len(link.written) == CREDIT + 1
        outbox.step(b"step")
        await link.take(1)
        assert link.written[-1] == b"step"


async def test_when_too_many_previews_wait_the_oldest_goes_as_a_whole() -> None:
    link = Link()
    async with open_outbox(link.write) as outbox:
        outbox.say(b"ack")
        await _settle()
        _flood(outbox, MAX_PREVIEWS + 5)
        finishing = asyncio.create_task(outbox.finish(b"done"))
        await link.take(1000)
        await finishing
    assert link.written[1] == b"preview 5.0"
    assert len(link.written) == 3 * MAX_PREVIEWS + 2


async def test_a_result_waits_for_the_link() -> None:
    link, sent = Link(), 0

    async def send(outbox: Outbox) -> None:
        nonlocal sent
        for _ in range(50):
            await outbox.send(b"part")
            sent += 1

    async with open_outbox(link.write) as outbox:
        sending = asyncio.create_task(send(outbox))
        await _settle()
        assert sent <= WINDOW_MESSAGES + 1
        await link.take(10)
        assert len(link.written) == 10
        assert sent <= 10 + WINDOW_MESSAGES + 1
        sending.cancel()
        await link.take(100)


async def test_a_stream_that_is_gone_ends_the_work_for_it() -> None:
    async def write(message: bytes) -> None:
        raise OSError("gone")

    with pytest.raises(NodeUnavailable):
        async with open_outbox(write) as outbox:
            outbox.say(b"ack")
            await asyncio.sleep(60)


async def test_a_checkpoint_waits_for_all_but_previews_and_is_dropped_for_a_result() -> None:
    link = Link()
    async with open_outbox(link.write) as outbox:
        outbox.preview([b"preview"])
        sending = asyncio.create_task(_spare(outbox, [b"state 0", b"state 1", b"state 2", b"state 3"]))
        await _settle()
        await link.take(1)
        outbox.step(b"step")
        outbox.say(b"ack")
        await link.take(3)
        assert link.written == [b"preview", b"state 0", b"ack", b"step"]
        await link.take(1)
        assert len(link.written) == 4, "nothing more of it before the reader has taken some"
        outbox.taken()
        await _settle()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        outbox.drop_checkpoint()
        finishing = asyncio.create_task(_finish(outbox, [b"result"]))
        await link.take(10)
        await finishing
    assert link.written[4:] == [b"state 1", b"result", b"done"]  # what was written before is finished


async def test_a_checkpoint_is_home_once_all_of_it_was_taken_whatever_else_is_on_its_way() -> None:
    link = Link()
    async with open_outbox(link.write) as outbox:
        await outbox.spare(b"state")
        homing = asyncio.create_task(outbox.emptied())
        await link.take(1)
        _flood(outbox, 2)
        await link.take(1)
        assert link.written == [b"state", b"preview 0.0"]
        assert not homing.done(), "written is not taken"
        outbox.taken()
        await _settle()
        assert homing.done()
        outbox.taken()
        outbox.taken()  # more often than there is something to take
        await link.take(10)
        assert len(link.written) == 3 + CREDIT


async def _spare(outbox: Outbox, messages: list[bytes]) -> None:
    for message in messages:
        await outbox.spare(message)


async def test_whoever_has_nothing_to_say_says_that() -> None:
    written: list[bytes] = []

    async def write(message: bytes) -> None:
        written.append(message)

    async with open_outbox(write, beat=b"alive", beat_s=0.02) as outbox:
        await until(lambda: written.count(b"alive") >= 3)
        outbox.beat = b"alive with a place"
        await until(lambda: b"alive with a place" in written)
        outbox.say(b"ack")
        await until(lambda: b"ack" in written)
    assert written[0] == b"alive"
