"""Memory that is promised before it is allocated."""

import asyncio
from dataclasses import replace

import pytest

from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import CapacityExceeded, DeadlineExceeded
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.memory import usable_bytes
from eapg_split.runtime.peer import Onward
from eapg_split.runtime.room import Need, Room
from eapg_split.runtime.settings import Limits
from tests.nodes import SMALL, coded, order, toy_worker, undivided
from tests.toy_engine import open_engine

ROOM_FOR_TWO = Room(NodeId("edge"), memory_bytes=1000, in_flight_bytes=450)


def test_a_need_is_that_of_the_states_and_of_the_largest_step() -> None:
    workload = open_engine("toy").unroll(SMALL)
    state = coded(undivided(5)).declaration
    sizes = [spec.raw_bytes for spec in workload.specs]
    need = Need.of(order(5, 7), workload, state)
    assert need == Need(sizes[4] + 2 * sizes[6], workload.stage("stage3").memory_bytes)
    further = replace(order(5, 7), onward=(Onward(NodeId("cloud"), 9),))
    both = Need.of(further, workload, state)
    assert both.states == 2 * sizes[4] + sizes[6] + 2 * sizes[8]
    first = Need.of(order(0, 1), workload, coded(Latent()).declaration)
    assert first.states == 2 * sizes[0]


async def test_who_does_not_fit_waits_and_nobody_passes() -> None:
    room, ran = Room(NodeId("edge"), memory_bytes=1000, in_flight_bytes=450), list[str]()
    ends = {name: asyncio.Event() for name in "abc"}

    async def run(name: str, need: Need) -> None:
        async with room.taken(need, order(5, 9)):
            ran.append(name)
            await ends[name].wait()

    tasks = [
        asyncio.create_task(run(name, need))
        for name, need in (("a", Need(300, 500)), ("b", Need(200, 100)), ("c", Need(10, 10)))
    ]
    await asyncio.sleep(0)
    assert ran == ["a"]  # the states of both are too many, and the third is not let past the second
    for name in "ab":
        ends[name].set()
        await asyncio.sleep(0.01)
    assert ran == ["a", "b", "c"]
    ends["c"].set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("need", [Need(300, 701), Need(451, 0)])
async def test_what_would_never_fit_is_refused_for_good(need: Need) -> None:
    with pytest.raises(CapacityExceeded, match="MB") as caught:
        async with ROOM_FOR_TWO.taken(need, order(5, 9)):
            pass
    assert caught.value.retry_after_s is None


async def test_a_wait_ends_with_its_deadline_or_its_task() -> None:
    room, half = Room(NodeId("edge"), memory_bytes=100, in_flight_bytes=100), Need(60, 0)
    async with room.taken(half, order(5, 9)):
        with pytest.raises(DeadlineExceeded):
            async with room.taken(half, replace(order(5, 9), deadline=Deadline.after(0.01))):
                pass

        async def wait() -> None:
            async with room.taken(half, order(5, 9)):
                pass

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with room.taken(Need(100, 0), order(5, 9)):
        pass


async def test_a_worker_refuses_what_would_not_fit_before_anything_comes() -> None:
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(memory_bytes=10**6))
    state = coded(undivided(5))
    with pytest.raises(CapacityExceeded, match="place it elsewhere"):
        async with worker.serving.admitted(order(5, 9), state.declaration):
            raise AssertionError("it was admitted")
    assert worker.places.sessions == ()
    assert (await worker.describe()).node.memory_bytes == 10**6
    worker.thread.close()


def test_there_is_some_memory_to_use() -> None:
    assert 2**27 < usable_bytes() < 2**45
