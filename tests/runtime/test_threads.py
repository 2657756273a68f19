"""Threads are there before they are needed, and none is begun that could not get the memory for it."""

import asyncio
import mmap
import threading

import pytest

from eapg_split.errors import CapacityExceeded
from eapg_split.runtime.daemon_thread import in_daemon_thread
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.threads import started_executor


def test_all_threads_of_an_executor_run_at_once() -> None:
    executor = started_executor("some", 3)
    assert sum(thread.name.startswith("some") for thread in threading.enumerate()) == 3
    executor.shutdown()


async def test_no_thread_begins_for_which_there_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(descriptor: int, size: int) -> None:
        raise OSError(12, "Cannot allocate memory")

    before = SerialThread("before")
    monkeypatch.setattr(mmap, "mmap", no_memory)
    with pytest.raises(CapacityExceeded, match="no memory for another thread"):
        SerialThread("sink")
    with pytest.raises(CapacityExceeded, match="no memory for another thread"):
        await in_daemon_thread(lambda: 1, 1.0, "policy")
    async with asyncio.timeout(10):
        assert await before.run(lambda: 1) == 1
    before.close()
