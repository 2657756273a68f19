"""Threads that start while there is memory for them.

CPython waits for ever, and with it the event loop, for a thread that finds no memory before it can say that it runs. A
daemon starts its threads at once, and looks for memory before it starts another one.
"""

import mmap
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from eapg_split.errors import CapacityExceeded

_THREAD_BYTES: Final = 16 * 2**20  # its stack, and what it takes to begin


def check_memory_for_a_thread() -> None:
    """Raises CapacityExceeded where another thread might not get the memory to start."""
    try:
        mmap.mmap(-1, _THREAD_BYTES).close()
    except (OSError, MemoryError):
        raise CapacityExceeded(
            "There is no memory for another thread: give this node's daemon more, or fewer jobs at a time."
        ) from None


def started_executor(name: str, threads: int) -> ThreadPoolExecutor:
    """An executor all of whose threads run already. Raises CapacityExceeded."""
    check_memory_for_a_thread()
    executor, all_run = ThreadPoolExecutor(threads, thread_name_prefix=name), threading.Event()
    for _ in range(threads):
        executor.submit(all_run.wait)  # none is idle meanwhile, so each starts one
    all_run.set()
    return executor
