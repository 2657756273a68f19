"""Two hundred sessions at once against one daemon: done or refused with a word when to come again, at flat memory."""

import asyncio
from pathlib import Path

import pytest

from tests.crowd import Crowded, Tally, crowded, session, storm

pytestmark = pytest.mark.cluster

SESSIONS = 200
_MOST_GROWTH = (
    128 << 20
)  # bytes in three rounds; if each session left its state behind, it would be twice that


async def idle(node: Crowded) -> tuple[int, int]:
    """What it holds once nothing runs there."""
    async with asyncio.timeout(30):
        while await node.busy():  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.05)
    return node.footprint()


async def test_a_crowd_is_served_or_refused_at_flat_memory(tmp_path: Path) -> None:
    async with crowded(tmp_path) as node, asyncio.timeout(150):
        peer = node.clients["greedy"]
        footprints = []
        for _ in range(5):
            tally = await storm(peer, SESSIONS, patient=False)
            assert tally.finished >= 4
            assert tally.refused > 0
            assert tally.finished + tally.refused == SESSIONS
            assert (tally.wrong, tally.left_in_the_dark) == (0, 0)
            footprints.append(await idle(node))
        resident, files = zip(*footprints, strict=True)
        assert resident[-1] - resident[1] < _MOST_GROWTH
        assert files[-1] <= files[1] + 2
        patient = await storm(peer, 60, patient=True)
        assert (patient.finished, patient.wrong, patient.left_in_the_dark) == (60, 0, 0)


async def test_a_small_client_is_not_starved_by_a_greedy_one(tmp_path: Path) -> None:
    """It waits for a place as long as one segment takes beside three others, however many wait before it."""
    async with crowded(tmp_path, engine="tests.toy_engine:open_slow_engine") as node, asyncio.timeout(150):
        crowd, small = Tally(), Tally()
        async with asyncio.TaskGroup() as group:
            greedy = [
                group.create_task(session(node.clients["greedy"], crowd, patient=False)) for _ in range(40)
            ]
            while await node.busy() < 4:  # noqa: ASYNC110  # nothing tells us
                await asyncio.sleep(0.02)
            await session(node.clients["small"], small, patient=False)
            assert (small.finished, small.refused) == (1, 0)
            assert crowd.finished < 20 - 4  # those that waited before it are not all done
            for task in greedy:
                task.cancel()
