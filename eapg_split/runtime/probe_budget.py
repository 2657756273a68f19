"""How many bytes may be spent on looking at a link instead of using it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LEAST_TRAIN_BYTES: Final = 32 * 1024  # of one probe, in each direction
MOST_TRAIN_BYTES: Final = 256 * 1024
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

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
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
