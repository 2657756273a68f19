"""Virtual time: what is to happen next, from a heap. Nothing ticks; between two events nothing changes."""

import math
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Kernel:
    """One per simulation. Events at one moment come by priority, then in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, int, Callable[[Any], None], Any]] = []
        self._asked = 0

    def at(self, when_s: float, call: Callable[[Any], None], argument: Any = None, priority: int = 0) -> None:
        """Calls with the argument at a moment, which may not lie before now; infinity is never."""
        assert when_s >= self.now_s, "nothing can happen in the past"
        self._asked += 1
        heappush(self._heap, (when_s, priority, self._asked, call, argument))

    @property
    def idle(self) -> bool:
        """Whether nothing is to happen any more."""
        return not self._heap

    @property
    def next_s(self) -> float:
        """When something happens next; infinite where nothing does."""
        return self._heap[0][0] if self._heap else math.inf

    def run(self, until_s: float = math.inf) -> None:
        """Until nothing is left that happens before `until_s`. What lies beyond it stays for the next call."""
        self.play(until_s)
        if until_s < math.inf:
            self.now_s = max(self.now_s, until_s)

    def play(self, until_s: float) -> None:
        """The same, but it stays at the moment of the last event."""
        heap = self._heap
        while heap and heap[0][0] < until_s:
            self.now_s, _, _, call, argument = heappop(heap)
            self.events += 1
            call(argument)
