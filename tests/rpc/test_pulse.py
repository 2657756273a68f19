"""Silence is found within three heartbeats, and nothing else is taken for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eapg_split.errors import NodeUnavailable
from eapg_split.rpc import pulse
from eapg_split.rpc.pulse import Pulse


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEARTBEAT_S", "LOST_AFTER_S", "STILL_S", "_TICK_S"):
        monkeypatch.setattr(pulse, name, getattr(pulse, name) / 20)


@asynccontextmanager
async def watched(found: Pulse) -> AsyncIterator["asyncio.Task[None]"]:
    watching = asyncio.create_task(found.watch())
    try:
        yield watching
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_silence_is_found() -> None:
    found = Pulse("edge")
    found.waits = True
    with pytest.raises(NodeUnavailable, match="Nothing was heard of node edge"):
        await asyncio.wait_for(found.watch(), 10)


async def test_a_result_that_stands_still_is_found_although_its_node_is_alive() -> None:
    found = Pulse("edge")
    found.waits = found.returning = True
    async with watched(found) as watching:
        while not watching.done():
            found.heard(moved=False)
            await asyncio.sleep(0.01)
        with pytest.raises(NodeUnavailable, match="Nothing more of its result"):
            watching.result()


@pytest.mark.parametrize(("waits", "moved"), [(False, False), (True, True)])
async def test_who_works_on_a_message_or_hears_others_misses_nothing(waits: bool, moved: bool) -> None:
    found = Pulse("edge")
    found.waits, found.returning = waits, True
    async with watched(found) as watching:
        for _ in range(100):
            if moved:
                found.heard(moved=True)
            await asyncio.sleep(0.01)
        assert not watching.done()
