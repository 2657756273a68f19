"""What a link carried, from when parts were ready to go and when they arrived. Pure arithmetic.

Two parts tell the rate of the link only where it had no pause between them. The two clocks have nothing in common, but
the shortest way of all parts gives the difference between them (with the delay, and the time of one part): a part that
was ready only after its predecessor's arrival on that scale found the link idle, because its sender had to wait for the
encoder. Such a pair says how fast the sender is, and is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from eapg_split.planner.link_rates import LEAST_BYTES

_LONGEST_S: Final = 1e6  # moments are another node's, and may be anything


@dataclass(frozen=True, slots=True)
class Trip:
    """One part: when it was ready on the sender's clock, and when it was there on the receiver's.

    `late` says that the receiver was busy, so that it may have been there earlier.
    """

    size_bytes: int
    ready_s: float
    arrived_s: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """So many bytes within so many seconds of a busy link; `last` is the index of the trip that ends it."""

    size_bytes: int
    seconds: float
    last: int


def samples(trips: Sequence[Trip]) -> tuple[Sample, ...]:
    """The rates that the consecutive trips of one hand-off show; none for fewer than two messages."""
    messages = _messages(trips)
    if len(messages) < 2:
        return ()
    shortest = min(trip.arrived_s - trip.ready_s for trip, _ in messages)
    found: list[Sample] = []
    size, seconds = 0, 0.0
    for (before, ended), (trip, index) in pairwise(messages):
        paused = trip.ready_s + shortest > before.arrived_s
        if paused or trip.late or before.late:  # limited by the sender, or by the receiver
            _end(found, size, seconds, ended)
            size, seconds = 0, 0.0
            continue
        size += trip.size_bytes
        seconds += trip.arrived_s - before.arrived_s
        if size >= LEAST_BYTES:
            _end(found, size, seconds, index)
            size, seconds = 0, 0.0
    _end(found, size, seconds, len(trips) - 1)
    return tuple(found)


def _messages(trips: Sequence[Trip]) -> list[tuple[Trip, int]]:
    """Parts that came at one moment, in one message, as one trip, with the index of the last of them."""
    found: list[tuple[Trip, int]] = []
    for index, trip in enumerate(trips):
        whole = trip
        if found and found[-1][0].arrived_s == trip.arrived_s:
            before, _ = found.pop()
            whole = Trip(
                before.size_bytes + trip.size_bytes,
                max(before.ready_s, trip.ready_s),
                trip.arrived_s,
                before.late or trip.late,
            )
        found.append((whole, index))
    return found


def _end(found: list[Sample], size: int, seconds: float, last: int) -> None:
    if size and 0 < seconds < _LONGEST_S:
        found.append(Sample(size, seconds, last))
