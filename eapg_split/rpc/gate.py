"""How many calls of one kind a node answers at once: so many, and of one caller fewer."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from eapg_split.errors import CapacityExceeded

_RETRY_AFTER_S: Final = 1.0


class Gate:
    """Refuses what is beyond with CapacityExceeded; nothing waits here."""

    def __init__(self, calls: str, most: int, most_of_one: int) -> None:
        """`calls` is what they are called in the refusal."""
        self._calls = calls
        self._most = most
        self._most_of_one = most_of_one
        self._inside = Counter[str]()
        self._left = asyncio.Event()

    def __len__(self) -> int:
        return self._inside.total()

    @contextmanager
    def passed(self, caller: str) -> Iterator[None]:
        """Counts a call for the block."""
        if len(self) >= self._most or self._inside[caller] >= self._most_of_one:
            raise CapacityExceeded(
                f"A node answers at most {self._most} {self._calls} at once, {self._most_of_one} of one caller: end"
                " another one first.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._inside[caller] += 1
        try:
            yield
        finally:
            self._left.set()
            self._inside[caller] -= 1
            if not self._inside[caller]:
                del self._inside[caller]

    async def emptied(self) -> None:
        """Returns when nobody is inside."""
        while self._inside:
            self._left.clear()
            await self._left.wait()
