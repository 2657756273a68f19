"""Time that passes by itself, for what the simulator's kernel does in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any


class Clock:
    """Seconds since it was made. Belongs to one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._timers: set[asyncio.TimerHandle] = set()

    @property
    def now_s(self) -> float:
        return self._loop.time() - self._began_s

    def at(self, when_s: float, call: Callable[[Any], None], argument: Any = None) -> None:
        """Calls with the argument at a moment, at once where it has passed; infinity is never."""

        def due() -> None:
            self._timers.discard(timer)
            call(argument)

        if when_s < float("inf"):
            timer = self._loop.call_at(self._began_s + when_s, due)
            self._timers.add(timer)

    def stop(self) -> None:
        """Nothing is called any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
