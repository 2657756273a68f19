"""Linux's own files: battery, thermal zones, hardware monitors and clocks below /sys, or below another root.

Every attribute may be missing, unreadable or absurd, and differs between drivers. Units are the kernel's: micro-volts,
-amperes, -watts, -ampere-hours, tenths of a degree for batteries and thousandths elsewhere.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eapg_split.domain.telemetry import RANGES, Quality, Telemetry, reading
from eapg_split.runtime.telemetry.batteries import batteries_of
from eapg_split.runtime.telemetry.clock import BusyShare
from eapg_split.runtime.telemetry.files import entries, number, text
from eapg_split.runtime.telemetry.heat import Heat, limiting
from eapg_split.runtime.telemetry.source import BusySeconds

_NEARLY: Final = 0.95  # of the largest clock: the cores that a step waits for
_BUSY: Final = 0.5  # below, a low clock is a processor that rests


class SysfsSource:
    """Reads below `root`; with `busy_s` it takes a low clock for throttling only while this node computes."""

    def __init__(self, root: Path = Path("/sys"), busy_s: BusySeconds | None = None) -> None:
        self._root = root
        self._busy = None if busy_s is None else BusyShare(busy_s)

    def read(self) -> Telemetry:
        """Charge, mains, power, temperature, headroom and clock."""
        battery = batteries_of(self._root / "class/power_supply")
        hottest = limiting([*self._zones(), *self._monitors(), *battery.heats])
        limit = Quality.MODELLED if hottest.assumed else Quality.MEASURED
        return Telemetry(
            charge=reading("charge", battery.charge),
            plugged=reading("plugged", battery.plugged),
            power_w=reading("power_w", battery.power_w),
            temperature_c=reading("temperature_c", hottest.celsius),
            headroom=reading("headroom", hottest.headroom, limit),
            clock_ratio=reading("clock_ratio", self._clock_ratio()),
        )

    def _zones(self) -> Iterator[Heat]:
        for zone in entries(self._root / "class/thermal", "thermal_zone"):
            celsius = number(zone / "temp", 1e-3)
            if celsius is not None:
                yield Heat(text(zone / "type"), celsius, _trip_point(zone))

    def _monitors(self) -> Iterator[Heat]:
        for monitor in entries(self._root / "class/hwmon", "hwmon"):
            name = text(monitor / "name")
            for file in entries(monitor, "temp"):
                if re.fullmatch(r"temp\d+_input", file.name):
                    celsius = number(file, 1e-3)
                    sensor = file.name.removesuffix("_input")
                    critical = number(monitor / f"{sensor}_crit", 1e-3)
                    if celsius is not None:
                        yield Heat(name, celsius, critical)

    def _clock_ratio(self) -> float | None:
        """Present over largest clock of the fastest cores; only their cap where this node does not compute now."""
        found = []
        for core in entries(self._root / "devices/system/cpu", "cpu"):
            folder = core / "cpufreq"
            most = number(folder / "cpuinfo_max_freq") or number(folder / "scaling_max_freq")
            if most and most > 0:
                found.append((most, folder))
        if not found:
            return None
        busy = self._busy is None or self._busy.since_last() >= _BUSY
        largest = max(most for most, _ in found)
        names = ("scaling_cur_freq", "cpuinfo_cur_freq") if busy else ("scaling_max_freq",)
        clocks = [
            value / most
            for most, folder in found
            if most >= _NEARLY * largest and (value := _first(folder, names))
        ]
        # a boost beyond the nominal clock is a full clock; 0 is a core that is off
        return min(1.0, max(clocks)) if clocks and max(clocks) > 0 else None


def _first(folder: Path, names: tuple[str, ...]) -> float | None:
    return next((value for name in names if (value := number(folder / name)) is not None), None)


def _trip_point(zone: Path) -> float | None:
    """The lowest temperature at which the kernel or the hardware begins to slow down or stop."""
    points = []
    for file in entries(zone, "trip_point_"):
        if file.name.endswith("_type") and text(file) in ("passive", "hot", "critical"):
            celsius = number(file.with_name(file.name.removesuffix("type") + "temp"), 1e-3)
            if celsius is not None and 0 < celsius <= RANGES["temperature_c"][1]:
                points.append(celsius)
    return min(points, default=None)
