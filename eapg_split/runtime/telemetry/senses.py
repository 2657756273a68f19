"""The looks of one node, taken in a thread of their own: a sensor that hangs must not hold the event loop."""

import asyncio
import logging
import math
from typing import Final

from eapg_split.domain.telemetry import Telemetry
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.telemetry.source import TelemetrySource

_log = logging.getLogger(__name__)
_SHORTEST_S: Final = 0.1  # between two readings of the sensors, however many watch
_PATIENCE_S: Final = 0.5  # then the look before is given
_FORGET_S: Final = 30.0  # what is older says nothing of now


class Senses:
    """One per worker. Its methods belong to the event loop."""

    def __init__(self, source: TelemetrySource) -> None:
        self._source = source
        self._thread = SerialThread("telemetry")
        self._reading: asyncio.Task[Telemetry] | None = None
        self._last = Telemetry()
        self._last_s = -math.inf
        self._failed = False

    @property
    def busy(self) -> bool:
        """Whether a sensor is being read, perhaps one that hangs."""
        return self._thread.busy

    async def look(self) -> Telemetry:
        """The newest look, at most half a second late; all unknown where the source has long been silent."""
        now = asyncio.get_running_loop().time()
        if now - self._last_s >= _SHORTEST_S:
            if self._reading is None:
                self._reading = asyncio.create_task(self._thread.run(self._source.read))
            await asyncio.wait((self._reading,), timeout=_PATIENCE_S)
            self._take()
        stale = asyncio.get_running_loop().time() - self._last_s > _FORGET_S
        return Telemetry() if stale else self._last

    def close(self) -> None:
        """Drops what waits; does not wait for what runs."""
        self._thread.close()

    def _take(self) -> None:
        """What the reading brought, once it is over."""
        reading = self._reading
        if reading is None or not reading.done():
            return
        self._reading = None
        self._last_s = asyncio.get_running_loop().time()
        error = None if reading.cancelled() else reading.exception()
        if error is None and not reading.cancelled():
            self._last = reading.result()
            return
        self._last = Telemetry()
        if not self._failed:  # a source of a stranger's; ours do not raise
            _log.warning("telemetry is unknown: its source raised %r", error)
        self._failed = True
