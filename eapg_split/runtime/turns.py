"""Who is served next: one caller after the other, however many sessions each of them has."""

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")
Turn = tuple[str, str]
"""A caller and one of its sessions."""

_MOST: Final = 512  # callers and sessions whose last turn is remembered


class Turns(Generic[T]):
    """What waits, by caller and session. Not for several threads at a time."""

    def __init__(self) -> None:
        self._first: deque[T] = deque()
        self._waiting: dict[Turn, deque[T]] = {}
        self._served: dict[str | Turn, int] = {}  # when it was served last
        self._count = 0

    def add(self, turn: Turn | None, item: T) -> None:
        """Puts an item behind those of the same session; None puts it before those of all sessions."""
        if turn is None:
            self._first.append(item)
        else:
            self._waiting.setdefault(turn, deque()).append(item)

    def next(self) -> T:
        """The item of whoever was served longest ago: first among the callers, then among the caller's sessions.

        Something must be waiting.
        """
        if self._first:
            return self._first.popleft()
        served = self._served
        turn = min(self._waiting, key=lambda each: (served.get(each[0], 0), served.get(each, 0)))
        items = self._waiting[turn]
        item = items.popleft()
        if not items:
            del self._waiting[turn]
        self._count += 1
        for who in (turn[0], turn):
            served.pop(who, None)
            served[who] = self._count
        while len(served) > _MOST:
            del served[next(iter(served))]
        return item

    def clear(self) -> list[T]:
        """Takes everything out."""
        items = [*self._first, *(item for items in self._waiting.values() for item in items)]
        self._first.clear()
        self._waiting.clear()
        return items
