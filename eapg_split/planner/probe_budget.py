"""How often to look at a link instead of using it, how long to wait for it, and how many bytes may be spent on it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

LEAST_TRAIN_BYTES: Final = 32 * 1024  # of one probe, in each direction
MOST_TRAIN_BYTES: Final = 256 * 1024
PATIENCE_S: Final = 1.0  # with one message or train
FRESH_S: Final = 3.0
DOUBT_S: Final = 1.0  # as FRESH_S, after a sample that was far from what was believed
DARK_S: Final = 2.0  # as FRESH_S, after next to nothing came through: it may be back at any moment
DARK_BITS_PER_S: Final = 200e3
PART_BYTES: Final = 8 * 1024
QUICK_S: Final = 0.1  # a train that took no longer, there and back, may be followed by a longer one
_TRAIN_S: Final = 0.1  # how long a train should take
SHARE_OF_LINK: Final = 0.01  # of what the link could carry in the time
BYTES_PER_HOUR: Final = 8 * 2**20  # of one link, both directions together
_PURSE_BYTES: Final = 2 * (MOST_TRAIN_BYTES + 2 * LEAST_TRAIN_BYTES)  # a first look, and a short second one
_HOUR_S: Final = 3600.0


@dataclass
class _Purse:
    tokens: float
    at_s: float
    spent: float = 0.0  # within the hour that began then
    hour_s: float = 0.0


class ProbeBudget:
    """Bytes that may be spent on probes: one look at once, then 1 % of the link's rate, and so many an hour.

    A link that has just been met has one look's worth, as without it nothing would ever be known.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._purses: dict[str, _Purse] = {}

    def take(self, node: str, size_bytes: int, bits_per_s: float) -> bool:
        """Whether so many bytes may be sent now on the link to `node`; if so, they are spent."""
        now = self._clock()
        purse = self._purses.setdefault(node, _Purse(_PURSE_BYTES, now, 0.0, now))
        earned = SHARE_OF_LINK * bits_per_s / 8 * (now - purse.at_s)
        purse.tokens, purse.at_s = min(_PURSE_BYTES, purse.tokens + earned), now
        if now - purse.hour_s >= _HOUR_S:
            purse.spent, purse.hour_s = 0.0, now
        if size_bytes > purse.tokens or purse.spent + size_bytes > BYTES_PER_HOUR:
            return False
        purse.tokens -= size_bytes
        purse.spent += size_bytes
        return True


def due_after_s(bits_per_s: Iterable[float | None], *, doubtful: bool) -> float:
    """How long a look at a link counts, by the rates of its ways (None where unknown): less while one is dark.

    `doubtful` says that the last sample of one was far from what is believed of it.
    """
    if doubtful:
        return DOUBT_S
    dark = any(rate is not None and rate < DARK_BITS_PER_S for rate in bits_per_s)
    return DARK_S if dark else FRESH_S


def train_bytes(bits_per_s: float) -> int:
    """How much to send in each direction so that it takes about a tenth of a second, within the bounds."""
    wanted = int(bits_per_s / 8 * _TRAIN_S) // PART_BYTES * PART_BYTES
    return min(MOST_TRAIN_BYTES, max(LEAST_TRAIN_BYTES, wanted))
