"""What share of the time this node computed, between one look and the next."""

import time
from collections.abc import Callable

from eapg_split.runtime.telemetry.source import BusySeconds


class BusyShare:
    """Counts from when it was made, then from the call before."""

    def __init__(self, busy_s: BusySeconds, clock: Callable[[], float] = time.monotonic) -> None:
        self._busy_s, self._clock = busy_s, clock
        self._seen_s, self._at_s = busy_s(), clock()

    def since_last(self) -> float:
        """0 to 1."""
        passed_s, worked_s = self.passed()
        return worked_s / passed_s if passed_s > 0 else 0.0

    def passed(self) -> tuple[float, float]:
        """Seconds since the last call, and how many of them were computed in."""
        now_s, busy_s = self._clock(), self._busy_s()
        passed_s, worked_s = now_s - self._at_s, busy_s - self._seen_s
        self._at_s, self._seen_s = now_s, busy_s
        return max(0.0, passed_s), min(max(0.0, worked_s), max(0.0, passed_s))
