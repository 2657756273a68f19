"""A thread for blocking calls in order: one for the engine, so that steps never compete for cores, one per sink."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from eapg_split.runtime.threads import started_executor
from eapg_split.runtime.turns import Turn, Turns

T = TypeVar("T")


class SerialThread:
    """Runs blocking calls one after the other: those of one session in their order, sessions and callers in turn."""

    def __init__(self, name: str) -> None:
        """Starts the thread. Raises CapacityExceeded where there is no memory for it."""
        self._executor = started_executor(name, 1)
        self._lock = threading.Lock()
        self._turns = Turns[tuple[Future[object], Callable[[], object]]]()
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

    async def run(self, call: Callable[[], T], turn: Turn | None = None) -> T:
        """The call's result. `turn` says for whom it is; without it, a short call, it goes before those that have one.

        When this is cancelled a call that began goes on, one that waits is dropped.
        """
        waiting = Future[T]()
        with self._lock:
            self._turns.add(turn, (waiting, call))  # type: ignore[arg-type]  # a future of what the call gives
        self._executor.submit(self._run_next)
        return await asyncio.wrap_future(waiting)

    def close(self) -> None:
        """Drops what waits; does not wait for what runs."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for waiting, _ in self._turns.clear():
                waiting.cancel()

    def _run_next(self) -> None:
        """There is one of these for each call that waits."""
        with self._lock:
            waiting, call = self._turns.next()
        if not waiting.set_running_or_notify_cancel():
            return
        self._running += 1
        self._began_s = time.monotonic()
        try:
            tell = partial(waiting.set_result, call())
        except BaseException as error:
            tell = partial(waiting.set_exception, error)
        self._busy_s += time.monotonic() - self._began_s
        self._began_s = 0.0
        self._running -= 1
        tell()
