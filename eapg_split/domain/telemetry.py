"""What a node says of itself while it works: battery, heat, load. What it cannot tell is unknown, never zero."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Quality(StrEnum):
    """How far a reading can be believed."""

    MEASURED = "measured"
    MODELLED = "modelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reading:
    """One number and how it was come by. An unknown one holds NaN, so that no sum hides it."""

    value: float = math.nan
    quality: Quality = Quality.UNKNOWN

    @classmethod
    def within(
        cls, value: float | None, low: float, high: float, quality: Quality = Quality.MEASURED
    ) -> "Reading":
        """The reading, or UNKNOWN where it is missing, not a number or outside what is physically sane."""
        if value is None or not low <= value <= high:
            return UNKNOWN
        return cls(float(value), quality)

    @property
    def known(self) -> bool:
        return self.quality is not Quality.UNKNOWN

    def or_else(self, default: float) -> float:
        """The value, or the default where nothing is known."""
        return self.value if self.known else default


UNKNOWN: Final = Reading()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One look at a node.

    `at_s` is on the clock of whoever holds the value: a receiver puts its own moment of arrival there.
    """

    at_s: float = 0.0
    charge: Reading = UNKNOWN  # of the battery, 0 to 1
    plugged: Reading = UNKNOWN  # 1 on mains, 0 on battery
    power_w: Reading = UNKNOWN  # drawn by the whole node now, watts
    temperature_c: Reading = UNKNOWN  # of the hottest part that limits the node, Celsius
    headroom: Reading = UNKNOWN  # Android's thermal headroom: 1 is severe throttling
    clock_ratio: Reading = UNKNOWN  # present clock over the largest, 0 to 1
    load: Reading = UNKNOWN  # share of the processor in use, 0 to 1
    memory_free_bytes: Reading = UNKNOWN
    queue_s: Reading = UNKNOWN  # until a segment that arrives now could start, seconds
    resident: tuple[str, ...] = ()  # parts of the weights that are loaded
