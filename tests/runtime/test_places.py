"""Who gets a place on a node, who waits for it in which order, and who is refused with a word when to come again."""

import asyncio
from dataclasses import replace

import pytest

from eapg_split.domain.topology import NodeId
from eapg_split.errors import CapacityExceeded, DeadlineExceeded, NodeUnavailable, SessionConflict
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.places import Places
from eapg_split.runtime.settings import Limits
from tests.nodes import order


class Segments:
    """Tasks that want a place, and hold it until they are let go."""

    def __init__(self, sessions: int, queued: int) -> None:
        limits = Limits(sessions=sessions, queued=queued)
        self.places = Places(NodeId("edge"), limits, lambda sessions: 7.0 * len(sessions))
        self.ran: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, caller: str, session: str, *, deadline_s: float = 0.0) -> asyncio.Task[None]:
        """Returns once it has its place, waits for it or was refused."""
        wanted = order(5, 9, session=session)
        wanted = replace(wanted, caller=caller, deadline=Deadline.after(deadline_s))
        end = self._ends[session] = asyncio.Event()

        async def run() -> None:
            async with self.places.held(wanted):
                self.ran.append(session)
                await end.wait()

        task = self._tasks[session] = asyncio.create_task(run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task

    async def end(self, session: str) -> None:
        self._ends[session].set()
        await asyncio.gather(self._tasks[session], return_exceptions=True)
        await asyncio.sleep(0)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        assert (len(self.places), self.places.sessions) == (0, ())


async def test_callers_take_turns_however_many_sessions_they_have() -> None:
    segments = Segments(sessions=1, queued=8)
    for number in range(5):
        await segments.begin("greedy", f"g{number}")
    for number in range(2):
        await segments.begin("small", f"s{number}")
    for session in ("g0", "s0", "g1", "s1", "g2"):
        assert segments.ran[-1] == session
        await segments.end(session)
    await segments.close()


async def test_whoever_holds_fewest_places_gets_the_next_one() -> None:
    segments = Segments(sessions=3, queued=8)
    for number in range(5):
        await segments.begin("greedy", f"g{number}")
    for number in range(2):
        await segments.begin("small", f"s{number}")
    await segments.end("g0")
    await segments.end("g1")
    assert segments.ran == [
        "g0",
        "g1",
        "g2",
        "s0",
        "g3",
    ]  # with one place each it is the first one's turn again
    await segments.close()


async def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    segments = Segments(sessions=1, queued=2)
    for number in range(3):
        await segments.begin("greedy", f"g{number}")
    late = await segments.begin("greedy", "late")
    with pytest.raises(CapacityExceeded, match="lets 2 wait") as caught:
        await late
    assert caught.value.retry_after_s == 21.0
    assert caught.value.node_id == "edge"
    await segments.close()


async def test_a_greedy_caller_makes_room_in_the_queue() -> None:
    segments = Segments(sessions=1, queued=2)
    tasks = [await segments.begin("greedy", f"g{number}") for number in range(3)]
    await segments.begin("small", "s0")
    with pytest.raises(CapacityExceeded):
        await tasks[2]
    with pytest.raises(CapacityExceeded):
        await (await segments.begin("third", "t0"))  # one each: nobody has to make room
    await segments.end("g0")
    assert segments.ran == ["g0", "s0"]
    await segments.close()


async def test_a_newer_attempt_takes_over_a_wait() -> None:
    segments = Segments(sessions=1, queued=1)
    await segments.begin("one", "first")
    older = await segments.begin("two", "second")
    newer = replace(order(5, 9, session="second", attempt=2), caller="two")

    async def again() -> None:
        async with segments.places.held(newer):
            segments.ran.append("second again")

    waiting = asyncio.create_task(again())
    with pytest.raises(SessionConflict):
        await older
    await segments.end("first")
    await waiting
    assert segments.ran == ["first", "second again"]
    await segments.close()


async def test_who_waits_may_leave_or_run_out_of_time() -> None:
    segments = Segments(sessions=1, queued=3)
    await segments.begin("one", "first")
    leaving = await segments.begin("one", "leaving")
    late = await segments.begin("one", "late", deadline_s=0.01)
    with pytest.raises(DeadlineExceeded, match="waited"):
        await late
    await segments.begin("one", "last")
    leaving.cancel()
    await segments.end("first")  # the place passes one that leaves at this very moment
    assert segments.ran == ["first", "last"]
    await segments.close()


async def test_a_closed_node_refuses_who_waits_and_lets_the_others_end() -> None:
    segments = Segments(sessions=1, queued=1)
    running = await segments.begin("one", "first")
    waiting = await segments.begin("one", "second")
    segments.places.close()
    for refused in (waiting, await segments.begin("one", "third")):
        with pytest.raises(NodeUnavailable, match="drains"):
            await refused
    own = await segments.begin("", "own")  # a job of this very node goes on
    assert not running.done()
    await segments.end("first")
    assert running.exception() is None
    assert segments.ran == ["first", "own"]
    await segments.end("own")
    assert own.exception() is None
    await segments.close()
