"""What is kept of sessions stays within its bounds in bytes and in time."""

import asyncio
import weakref

from eapg_split.runtime.sessions import BySession


class Kept:
    """Something that can be seen to be gone."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes


def opened(limit_bytes: int = 100, keep_s: float = 60.0) -> BySession[Kept]:
    return BySession[Kept](limit_bytes, keep_s, lambda kept: kept.size_bytes)


async def test_what_was_replaced_or_was_too_much_is_gone_at_once_and_not_when_its_time_is_over() -> None:
    kept = opened()
    values = [Kept(60), Kept(60), Kept(60)]
    gone = [weakref.ref(value) for value in values]
    kept.put("first", values.pop(0))
    kept.put("first", values.pop(0))
    assert gone[0]() is None
    kept.put("second", values.pop(0))
    assert gone[1]() is None
    assert kept.get("first") is None
    assert kept.get("second") is gone[2]()


async def test_each_is_kept_for_its_time_counted_from_its_last_word() -> None:
    kept, loop = opened(keep_s=0.2), asyncio.get_running_loop()
    kept.put("s", Kept(1))
    await asyncio.sleep(0.1)
    since_s = loop.time()
    kept.put("s", Kept(1))
    async with asyncio.timeout(5):
        while len(kept):  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.01)
    assert loop.time() - since_s >= 0.19
