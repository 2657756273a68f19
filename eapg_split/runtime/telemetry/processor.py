"""Load and free memory, which every system tells; and what psutil knows of battery and heat where nothing else does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from eapg_split.domain.telemetry import Quality, Telemetry, reading
from eapg_split.runtime.telemetry.heat import Heat, limiting

T = TypeVar("T")
_FIRST_S: Final = 0.1


class Processor:
    """Load since the look before, and memory that can be had without swapping."""

    def __init__(self) -> None:
        self._looked = False

    def read(self) -> Telemetry:
        """The first look waits a tenth of a second, as there is no look before it."""
        import psutil  # 20 ms of a daemon's start

        interval_s = None if self._looked else _FIRST_S
        percent = attempted(lambda: psutil.cpu_percent(interval_s))
        load = None if percent is None else percent / 100
        self._looked = True
        return Telemetry(
            load=reading("load", load),
            memory_free_bytes=reading(
                "memory_free_bytes", attempted(lambda: float(psutil.virtual_memory().available))
            ),
        )


class PsutilSensors:
    """Battery and temperatures by psutil: None and empty answers are usual, and exceptions too."""

    def read(self) -> Telemetry:
        import psutil

        battery = attempted(lambda: psutil.sensors_battery())
        plugged = None if battery is None or battery.power_plugged is None else float(battery.power_plugged)
        hottest = limiting(attempted(lambda: list(_heats(psutil.sensors_temperatures()))) or ())
        limit = Quality.MODELLED if hottest.assumed else Quality.MEASURED
        return Telemetry(
            charge=reading("charge", None if battery is None else battery.percent / 100),
            plugged=reading("plugged", plugged),
            temperature_c=reading("temperature_c", hottest.celsius),
            headroom=reading("headroom", hottest.headroom, limit),
        )


def attempted(call: Callable[[], T | None]) -> T | None:
    """What a library says of the hardware, or None: what it raises depends on system, driver and version."""
    try:
        return call()
    except Exception:
        return None


def _heats(found: Mapping[str, Sequence[object]]) -> Iterator[Heat]:
    for name, sensors in found.items():
        for sensor in sensors:
            celsius, critical = getattr(sensor, "current", None), getattr(sensor, "critical", None)
            if isinstance(celsius, int | float):
                label = str(getattr(sensor, "label", ""))
                yield Heat(
                    f"{name} {label}", celsius, critical if isinstance(critical, int | float) else None
                )
