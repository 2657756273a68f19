"""How a node was in a run that was recorded: it tells the same again at the same moments of virtual time."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from eapg_split.domain.telemetry import Quality, Telemetry, reading

Look = tuple[float, Mapping[str, float]]
"""A moment, and the readings by the names of Telemetry's fields; what is not there is unknown."""

# What others do to the node, or the weather: the rest follows from what it is asked to do.
TOLD: Final = (
    "charge",
    "plugged",
    "power_w",
    "temperature_c",
    "headroom",
    "clock_ratio",
    "memory_free_bytes",
)


class Looks:
    """Each look holds until the next one; the first also before it, the last for ever.

    `load` and `queue_s` are to be those of others: what the run itself did to the node is not among them.
    """

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = sorted(looks, key=lambda look: look[0]) or [(0.0, {})]
        self._moments = [moment for moment, _ in self._looks]

    def at(self, now_s: float) -> Mapping[str, float]:
        """The readings that hold at a moment."""
        return self._looks[max(0, bisect_right(self._moments, now_s) - 1)][1]

    def clock_ratio(self, now_s: float) -> float:
        """Present clock over the largest."""
        return max(0.01, self.at(now_s).get("clock_ratio", 1.0))

    def queue_s(self, now_s: float) -> float:
        """Until the work of others lets a segment begin."""
        return self.at(now_s).get("queue_s", 0.0)

    def told(self, look: Telemetry, now_s: float, busy: float) -> Telemetry:
        """What the node tells: as it was, with what it does now on top of it; `busy` is the share that this takes."""
        known = self.at(now_s)
        others = min(1.0, known.get("load", 0.0))
        queue_s = look.queue_s.or_else(0.0) + self.queue_s(now_s)
        told = {name: reading(name, known.get(name)) for name in TOLD}
        return replace(
            look,
            charge=told["charge"],
            plugged=told["plugged"],
            power_w=told["power_w"],
            temperature_c=told["temperature_c"],
            headroom=told["headroom"],
            clock_ratio=told["clock_ratio"],
            memory_free_bytes=told["memory_free_bytes"],
            load=reading("load", min(1.0, others + (1 - others) * busy)),
            queue_s=reading("queue_s", queue_s, Quality.MODELLED),
        )
