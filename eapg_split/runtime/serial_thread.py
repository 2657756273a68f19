"""A thread for blocking calls in order: one for the engine, so that steps never compete for cores, one per sink."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class SerialThread:
    """Runs blocking calls one after the other, in the order in which they were asked for."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._running = 0
        self._began_s = 0.0
        self._busy_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether a call is running now, perhaps one that nobody waits for any more."""
        return self._running > 0

    def busy_s(self) -> float:
        """Seconds that calls have run since the beginning, with the one that runs now."""
        began_s, busy_s = self._began_s, self._busy_s
        return busy_s + (time.monotonic() - began_s if began_s else 0.0)

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result. When this is cancelled a call that began goes on, one that waits is dropped."""

        def counted() -> T:
            self._running += 1
            self._began_s = time.monotonic()
            try:
                return call()
            finally:
                self._busy_s += time.monotonic() - self._began_s
                self._began_s = 0.0
                self._running -= 1

        return await asyncio.get_running_loop().run_in_executor(self._executor, counted)

    def close(self) -> None:
        """Drops what waits; does not wait for what runs."""
        self._executor.shutdown(wait=False, cancel_futures=True)
