"""The engine's thread: one call at a time, callers in turn."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest

from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.turns import Turn, Turns


@pytest.fixture
async def held() -> AsyncIterator[tuple[SerialThread, threading.Event]]:
    """A thread that is busy until the event is set."""
    thread, gate = SerialThread("engine"), threading.Event()
    first = asyncio.create_task(thread.run(gate.wait))
    while not thread.busy:  # noqa: ASYNC110  # another thread does it
        await asyncio.sleep(0.001)
    yield thread, gate
    gate.set()
    await asyncio.gather(first, return_exceptions=True)
    thread.close()


async def test_one_session_is_not_starved_by_ten(held: tuple[SerialThread, threading.Event]) -> None:
    thread, gate = held
    ran: list[str] = []
    loop = asyncio.get_running_loop()

    def step_of(caller: str) -> Callable[[], None]:
        """Takes as long as those need that ask for their next step."""

        def step() -> None:
            ran.append(caller)
            asyncio.run_coroutine_threadsafe(_some_cycles(), loop).result(20)

        return step

    async def session(caller: str, name: str) -> None:
        for _ in range(6):
            await thread.run(step_of(caller), (caller, name))

    sessions = [asyncio.create_task(session("greedy", f"g{number}")) for number in range(10)]
    sessions.append(asyncio.create_task(session("small", "s")))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*sessions)
    assert len(ran) == 66
    places = [place for place, caller in enumerate(ran) if caller == "small"]
    assert places[0] <= 1
    assert all(after - before == 2 for before, after in pairwise(places))  # every other step is its own


async def _some_cycles() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_short_calls_go_first_and_dropped_ones_do_not_run(
    held: tuple[SerialThread, threading.Event],
) -> None:
    thread, gate = held
    ran: list[str] = []
    step = asyncio.create_task(thread.run(lambda: ran.append("step"), ("one", "s1")))
    dropped = asyncio.create_task(thread.run(lambda: ran.append("dropped"), ("two", "s2")))
    await asyncio.sleep(0)
    short = asyncio.create_task(thread.run(lambda: ran.append("short")))
    await asyncio.sleep(0)
    dropped.cancel()
    await asyncio.gather(dropped, return_exceptions=True)
    gate.set()
    await asyncio.gather(step, short)
    assert ran == ["short", "step"]


async def test_an_error_is_that_of_its_call(held: tuple[SerialThread, threading.Event]) -> None:
    thread, gate = held
    gate.set()
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    assert await thread.run(lambda: 2) == 2


async def test_closing_drops_what_waits(held: tuple[SerialThread, threading.Event]) -> None:
    thread, _ = held
    waiting = asyncio.create_task(thread.run(lambda: 1, ("one", "s1")))
    await asyncio.sleep(0)
    thread.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_turns_go_by_caller_then_by_session() -> None:
    turns = Turns[str]()
    for item in ("a1", "a2", "a1", "a3", "b1"):
        turns.add((item[0], item), item)
    assert [turns.next() for _ in range(5)] == ["a1", "b1", "a2", "a3", "a1"]
    late: Turn = ("b", "b1")
    for turn in (("a", "a1"), late):
        turns.add(turn, turn[0])
    assert turns.next() == "b"  # served longer ago than any of the other caller's
