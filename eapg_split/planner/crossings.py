"""When a look at a node is worth another look at the plan: its heat, clock, battery or queue crossed a threshold."""

from dataclasses import dataclass
from typing import Final

from eapg_split.domain.telemetry import Reading, Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.planner.policy import Occasion, Trigger


@dataclass(frozen=True, slots=True)
class Bands:
    """Rising edges between bands; a value leaves the band above an edge only when it is `hysteresis` below it."""

    edges: tuple[float, ...]
    hysteresis: float

    def band(self, value: float, before: int | None = None) -> int:
        """Which band a value is in, coming from `before`: 0 is below all edges."""
        band = sum(value >= edge for edge in self.edges)
        if before is not None and band < before:
            band = sum(value >= edge - self.hysteresis for edge in self.edges[:before])
        return band


HEAT_C: Final = Bands((34.0, 36.0, 38.0, 40.0, 42.0, 44.0, 46.0, 60.0, 75.0, 90.0), 1.0)
# Of what is missing, so that the bad news comes at once and the good news late.
CLOCK_LOST: Final = Bands((0.08, 0.25, 0.45), 0.04)
CHARGE_USED: Final = Bands((0.5, 0.7, 0.8, 0.9, 0.95), 0.03)
MAINS: Final = Bands((0.5,), 0.0)
_QUEUE_S: Final = 1.0
_QUEUE_SHARE: Final = 0.25


class Crossings:
    """What one node's telemetry has crossed. The first look at each reading only says where it stands."""

    def __init__(self, node: NodeId) -> None:
        self._node = node
        self._bands: dict[str, int] = {}
        self._draining = False
        self._queue: tuple[float, float] | None = None  # seconds, and when that was said

    def seen(self, look: Telemetry) -> tuple[Occasion, ...]:
        """What has crossed a threshold since the last look; what is unknown crosses nothing."""
        node, found = self._node, list[Occasion]()
        if look.draining and not self._draining:
            found.append(Occasion(Trigger.NODE, f"{node} stops, and takes no more work.", node))
        self._draining = look.draining
        heat = self._crossed("temperature", look.temperature_c, HEAT_C)
        if heat:
            word = "hotter" if heat > 0 else "cooler"
            found.append(self._heat(f"{node} got {word}: {look.temperature_c.value:.1f} C."))
        clock = self._crossed("clock", _lost(look.clock_ratio), CLOCK_LOST)
        if clock:
            word = "slowed down" if clock > 0 else "sped up"
            found.append(self._heat(f"{node} {word} to {look.clock_ratio.value:.0%} of its clock."))
        charge = self._crossed("charge", _lost(look.charge), CHARGE_USED)
        if charge:
            word = "fell" if charge > 0 else "rose"
            found.append(self._battery(f"The battery of {node} {word} to {look.charge.value:.0%}."))
        plugged = self._crossed("plugged", look.plugged, MAINS)
        if plugged:
            where = "on mains" if plugged > 0 else "on battery"
            found.append(self._battery(f"{node} runs {where} now."))
        if self._queue_changed(look):
            reason = f"{node} says that it can start in {look.queue_s.value:.1f} s."
            found.append(Occasion(Trigger.QUEUE, reason, node))
        return tuple(found)

    def _heat(self, reason: str) -> Occasion:
        return Occasion(Trigger.HEAT, reason, self._node)

    def _battery(self, reason: str) -> Occasion:
        return Occasion(Trigger.BATTERY, reason, self._node)

    def _crossed(self, name: str, value: Reading, bands: Bands) -> int:
        """By how many bands it rose (or fell, below 0) since the last look."""
        if not value.known:
            return 0
        before = self._bands.get(name)
        self._bands[name] = bands.band(value.value, before)
        return 0 if before is None else self._bands[name] - before

    def _queue_changed(self, look: Telemetry) -> bool:
        """A queue that shrinks as fast as time passes is no news."""
        if not look.queue_s.known:
            return False
        if self._queue is None:
            self._queue = look.queue_s.value, look.at_s
            return False
        said, when_s = self._queue
        expected = max(0.0, said - (look.at_s - when_s))
        change = abs(look.queue_s.value - expected)
        if change <= max(_QUEUE_S, _QUEUE_SHARE * max(expected, look.queue_s.value)):
            return False
        self._queue = look.queue_s.value, look.at_s
        return True


def _lost(share: Reading) -> Reading:
    return Reading(1 - share.value, share.quality) if share.known else share
