"""Several sources as one: each reading is from the first that knows it."""

from collections.abc import Sequence

from eapg_split.domain.telemetry import RANGES, UNKNOWN, Reading, Telemetry
from eapg_split.runtime.telemetry.source import TelemetrySource


class Composite:
    """Sources in the order in which they are believed."""

    def __init__(self, sources: Sequence[TelemetrySource]) -> None:
        self._sources = tuple(sources)

    def read(self) -> Telemetry:
        looks = [source.read() for source in self._sources]
        return Telemetry.of({name: _first(looks, name) for name in RANGES})


def _first(looks: Sequence[Telemetry], name: str) -> Reading:
    readings: list[Reading] = [getattr(look, name) for look in looks]
    return next((each for each in readings if each.known), UNKNOWN)
