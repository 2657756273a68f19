"""The seam between a node and whatever can tell how it is."""

from collections.abc import Callable
from typing import Protocol

from eapg_split.domain.telemetry import Telemetry


class TelemetrySource(Protocol):
    """Reads sensors, or stands in for them. Blocking, and called from one thread at a time."""

    def read(self) -> Telemetry:
        """How the node is now, as far as this source can tell: what it cannot is UNKNOWN. Never raises OSError."""
        ...


BusySeconds = Callable[[], float]
"""Seconds that this node has computed since its daemon started."""

OpenTelemetry = Callable[[BusySeconds], TelemetrySource]
"""Makes a source once there is a node to tell of."""


class NoSensors:
    """A source that knows nothing."""

    def __init__(self, busy_s: BusySeconds | None = None) -> None:
        """It does not even ask how busy the node is."""

    def read(self) -> Telemetry:
        """All unknown."""
        return Telemetry()
