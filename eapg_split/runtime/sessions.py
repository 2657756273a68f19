"""What a node keeps of each session for a while, within bounds."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class BySession(Generic[T]):
    """One value a session, bounded in bytes and in time; the session that was heard of longest ago goes first."""

    def __init__(self, limit_bytes: int, keep_s: float, size_bytes: Callable[[T], int]) -> None:
        """`size_bytes` says how large a value is, and may say something else later."""
        self._limit_bytes = limit_bytes
        self._keep_s = keep_s
        self._size_bytes = size_bytes
        self._values: dict[str, T] = {}
        self._expiring: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, session: str) -> T | None:
        """The session's value, where it is still there."""
        return self._values.get(session)

    def put(self, session: str, value: T) -> None:
        """Keeps `value` in place of the session's earlier one. Belongs to the event loop."""
        self._drop(session)
        self._values[session] = value
        # a timer that only went off later would hold what it is about, beyond every bound in bytes
        self._expiring[session] = asyncio.get_running_loop().call_later(self._keep_s, self._drop, session)
        while self._values and sum(map(self._size_bytes, self._values.values())) > self._limit_bytes:
            self._drop(next(iter(self._values)))

    def _drop(self, session: str) -> None:
        self._values.pop(session, None)
        timer = self._expiring.pop(session, None)
        if timer is not None:
            timer.cancel()
