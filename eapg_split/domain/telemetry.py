"""What a node says of itself while it works: battery, heat, load. What it cannot tell is unknown, never zero."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

MAX_LINKS: Final = 64  # in one look
MAX_RESIDENT: Final = 64


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
class LinkSight:
    """What a node saw of one direction of a link: bits/s, the deviation of their logarithm, and how old that is."""

    source: str
    target: str
    bits_per_s: float
    sigma: float = 0.0
    rtt_s: float = 0.0  # 0 where it was not measured
    age_s: float = 0.0


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
    sessions: Reading = UNKNOWN  # that have a segment in flight
    resident: tuple[str, ...] = ()  # parts of the weights that are loaded
    links: tuple[LinkSight, ...] = ()  # that the node has used itself
    draining: bool = False  # it stops, and takes no more work

    @classmethod
    def of(cls, readings: Mapping[str, Reading]) -> "Telemetry":
        """From readings by the names of their fields; the others are unknown."""
        return cls(at_s=0.0, resident=(), links=(), draining=False, **readings)


RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "charge": (0.0, 1.0),
        "plugged": (0.0, 1.0),
        "power_w": (0.0, 1e5),
        "temperature_c": (-40.0, 150.0),
        "headroom": (0.0, 10.0),
        "clock_ratio": (0.01, 1.0),
        "load": (0.0, 1.0),
        "memory_free_bytes": (0.0, 2.0**50),
        "queue_s": (0.0, 86_400.0),
        "sessions": (0.0, 1e6),
    }
)
"""What is physically sane for each reading of a Telemetry: everything else is unknown."""


def reading(name: str, value: float | None, quality: Quality = Quality.MEASURED) -> Reading:
    """The reading of that field, or UNKNOWN where the value is missing, not a number or absurd."""
    return Reading.within(value, *RANGES[name], quality)
