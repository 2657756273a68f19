"""For machines without sensors: battery and heat as models, driven by what the node really computes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Final

from eapg_split.domain.telemetry import Quality, Telemetry, reading
from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.battery import PHONE_BATTERY
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.runtime.telemetry.clock import BusyShare
from eapg_split.runtime.telemetry.source import BusySeconds

_LONGEST_S: Final = 3600.0  # between two looks; a longer sleep is cut


@dataclass(frozen=True)
class ModelledDevice:
    """A phone: the charge that it begins with, watts while it computes and waits, and the air around it.

    Raises InvalidRequest for what no device is.
    """

    charge: float = 1.0
    active_w: float = 5.0
    idle_w: float = 1.0
    air_c: float = 25.0
    plugged: float = 0.0

    def __post_init__(self) -> None:
        sane = 0 <= self.charge <= 1 and 0 < self.idle_w <= self.active_w <= 1000 and -40 <= self.air_c <= 60
        if not (sane and self.plugged in (0.0, 1.0)):
            raise InvalidRequest(
                "A modelled device has a charge from 0 to 1, idle_w above 0 and not above active_w, air_c from -40 to"
                " 60, and plugged 0 or 1."
            )

    @classmethod
    def parsed(cls, text: str) -> "ModelledDevice":
        """From `charge=0.3,active_w=6`; empty is the default phone. Raises InvalidRequest."""
        known = {field.name for field in fields(cls)}
        values: dict[str, float] = {}
        for pair in filter(None, text.split(",")):
            name, equals, number = pair.partition("=")
            try:
                values[name.strip()] = float(number)
            except ValueError:
                equals = ""
            if not equals or name.strip() not in known:
                raise InvalidRequest(
                    f"--telemetry model: {pair!r} is not NAME=NUMBER; the names are {', '.join(sorted(known))}."
                )
        return replace(cls(), **values)


class ModelSource:
    """Integrates from one look to the next; all that it says is MODELLED."""

    def __init__(
        self,
        device: ModelledDevice,
        busy_s: BusySeconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device = device
        self._busy = BusyShare(busy_s, clock)
        self._thermal = ThermalModel(air_c=device.air_c)
        self._heat = self._thermal.seen(device.air_c)
        self._charge = device.charge
        self._watts = device.idle_w

    def read(self) -> Telemetry:
        """Charge, power, temperature and clock after the time since the last look."""
        self._advance(*self._busy.passed())
        ratio = self._thermal.governor.ratios[self._heat.level]
        values = {
            "charge": self._charge,
            "plugged": self._device.plugged,
            "power_w": self._watts,
            "temperature_c": self._heat.skin_c,
            "clock_ratio": ratio,
        }
        return Telemetry.of({name: reading(name, value, Quality.MODELLED) for name, value in values.items()})

    def _advance(self, passed_s: float, worked_s: float) -> None:
        """The mean power of the time that passed: it is short beside the skin's time constant."""
        if passed_s <= 0:
            return
        thermal, device = self._thermal, self._device
        ratio = thermal.governor.ratios[self._heat.level]
        active_w = device.active_w * ratio**thermal.power_exponent
        self._watts = device.idle_w + max(0.0, active_w - device.idle_w) * worked_s / passed_s
        seconds = min(passed_s, _LONGEST_S)
        warm = thermal.after(self._heat, self._watts, seconds)
        self._heat = replace(warm, level=thermal.governor.level(warm.skin_c, warm.level))
        if not device.plugged:
            self._charge = PHONE_BATTERY.after(self._charge, self._watts, seconds)
