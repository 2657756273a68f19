"""Whose job runs next: so many at once, and those who wait come caller by caller in turn."""

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress


class JobQueue:
    """Belongs to one event loop."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def free(self) -> bool:
        """Whether nobody need wait."""
        return self._free > 0

    async def take(self, caller: str) -> None:
        """Returns when a place is the caller's, who must `give` it back."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()  # it came when nobody wanted it any more
            else:
                self._leave(caller, turn)
            raise

    def give(self) -> None:
        """Gives a place to the next caller in turn, whose others then wait behind everybody else's."""
        while self._waiting:
            caller, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[caller] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _leave(self, caller: str, turn: "asyncio.Future[None]") -> None:
        turns = self._waiting.get(caller, deque())
        with suppress(ValueError):
            turns.remove(turn)
        if not turns:
            self._waiting.pop(caller, None)
