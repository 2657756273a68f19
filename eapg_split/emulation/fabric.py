"""What packets go through between namespaces: media with rates and queues that ways share, then a delay each.

Free of clocks and sockets: who calls says what time it is. A packet enters the first medium of its way, waits until
those before it have left, takes its bits over the rate, enters the next, and arrives a delay after the last. Each
moment follows from the ones before and not from when it was looked at, so a late look costs no rate.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

QUEUE_S: Final = 0.1  # a queue holds what its medium carries in so long
LEAST_QUEUE_BYTES: Final = 20 * 1500


@dataclass(frozen=True, slots=True)
class Way:
    """From one node to another: the numbers of the media it goes through, then `delay_s`; `target` is the far end."""

    target: int
    media: tuple[int, ...]
    delay_s: float


_Waiting = tuple[bytes, Way, int]  # a packet, its way, and at which medium of the way it is


@dataclass(slots=True)
class Medium:
    """One at a time goes through it, the others wait in the order they came; what finds the queue full is dropped.

    `carried_bytes` and `dropped` packets are counted from the beginning.
    """

    rate_bits_per_s: float  # 0: nothing goes on until it is another
    waiting: deque[_Waiting] = field(default_factory=deque)
    waiting_bytes: int = 0
    carried_bytes: int = 0
    dropped: int = 0
    passing: _Waiting | None = None
    left_bits: float = 0.0  # of the one that passes, at `since_s`
    since_s: float = 0.0
    turn: int = 0  # under which its end was asked for; others are void

    @property
    def room_bytes(self) -> int:
        """What may wait at once."""
        return max(LEAST_QUEUE_BYTES, int(self.rate_bits_per_s / 8 * QUEUE_S))


class Fabric:
    """All media. `take` what comes, then ask `arrived` for what is through, at `next_s` or later."""

    def __init__(self, rates_bits_per_s: Sequence[float]) -> None:
        self.media = tuple(Medium(rate) for rate in rates_bits_per_s)
        self._ends: list[tuple[float, int, int, int]] = []  # of passing: when, number, medium, turn
        self._arrivals: list[tuple[float, int, int, bytes]] = []  # when, number, target, packet
        self._number = 0

    @property
    def next_s(self) -> float | None:
        """When something happens next; None while nothing is on its way."""
        moments = [events[0][0] for events in (self._ends, self._arrivals) if events]
        return min(moments, default=None)

    def take(self, now_s: float, way: Way, packet: bytes) -> None:
        """A packet that sets out."""
        self._enter(now_s, (packet, way, 0))

    def set_rate(self, now_s: float, number: int, bits_per_s: float) -> None:
        """From now on a medium carries so much; what is passing goes on at the new rate."""
        self._pass_until(now_s)
        medium = self.media[number]
        if medium.passing is not None:
            medium.left_bits -= (now_s - medium.since_s) * medium.rate_bits_per_s
            medium.since_s = now_s
        medium.rate_bits_per_s = bits_per_s
        self._ask(number, medium)

    def arrived(self, now_s: float) -> list[tuple[int, bytes]]:
        """The packets that have arrived by now and where, in order."""
        self._pass_until(now_s)
        arrived = []
        while self._arrivals and self._arrivals[0][0] <= now_s:
            _, _, target, packet = heapq.heappop(self._arrivals)
            arrived.append((target, packet))
        return arrived

    def _pass_until(self, now_s: float) -> None:
        ends = self._ends
        while ends and ends[0][0] <= now_s:
            at_s, _, number, turn = heapq.heappop(ends)
            medium = self.media[number]
            if turn != medium.turn or medium.passing is None:
                continue
            packet, way, hop = medium.passing
            medium.carried_bytes += len(packet)
            if medium.waiting:
                following = medium.waiting.popleft()
                medium.waiting_bytes -= len(following[0])
                self._begin(at_s, number, medium, following)
            else:
                medium.passing = None
            self._enter(at_s, (packet, way, hop + 1))

    def _enter(self, now_s: float, what: _Waiting) -> None:
        packet, way, hop = what
        if hop == len(way.media):
            self._number += 1
            heapq.heappush(self._arrivals, (now_s + way.delay_s, self._number, way.target, packet))
            return
        number = way.media[hop]
        medium = self.media[number]
        if medium.passing is None:
            self._begin(now_s, number, medium, what)
        elif medium.waiting_bytes + len(packet) > medium.room_bytes:
            medium.dropped += 1
        else:
            medium.waiting.append(what)
            medium.waiting_bytes += len(packet)

    def _begin(self, now_s: float, number: int, medium: Medium, what: _Waiting) -> None:
        medium.passing, medium.left_bits, medium.since_s = what, 8.0 * len(what[0]), now_s
        self._ask(number, medium)

    def _ask(self, number: int, medium: Medium) -> None:
        """Asks for the end of what is passing, and voids what was asked for before."""
        medium.turn += 1
        if medium.passing is not None and medium.rate_bits_per_s > 0:
            ends_s = medium.since_s + max(0.0, medium.left_bits) / medium.rate_bits_per_s
            self._number += 1
            heapq.heappush(self._ends, (ends_s, self._number, number, medium.turn))
