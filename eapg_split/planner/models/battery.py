"""A battery as an open-circuit voltage behind a resistance ("Rint"), which counts the energy that it has given.

    P = (OCV(s) - I R0) I        the current that a load of P watts draws
    ds/dt = -I / Q               s is the charge, 0 to 1; Q the capacity in ampere-seconds

At low charge the voltage falls and the same watts draw more current, of which R0 turns more into heat: the last tenth
lasts shorter than the first, and below the cut-off the device goes off with charge left. The default is one lithium-ion
cell of a phone: 19 Wh, 0.1 ohm, cut-off at 3.4 V, and a curve that is typical of NMC cells.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from eapg_split.errors import InvalidRequest

PHONE_OCV: Final = (
    3.00, 3.45, 3.58, 3.63, 3.66, 3.69, 3.71, 3.73, 3.75, 3.77, 3.79,
    3.82, 3.85, 3.89, 3.93, 3.97, 4.01, 4.06, 4.11, 4.17, 4.25,
)  # fmt: skip
"""Volts at charge 0, 0.05, … 1."""
_STEPS: Final = 64  # of one discharge; see the test for what that costs


@dataclass(frozen=True)
class Battery:
    """Raises InvalidRequest for figures that no cell has.

    `capacity_wh` is what the curve gives from full to empty without any load.
    """

    capacity_wh: float = 19.0
    resistance_ohm: float = 0.1
    cut_off_v: float = 3.4
    ocv: tuple[float, ...] = PHONE_OCV
    capacity_as: float = field(init=False)

    def __post_init__(self) -> None:
        rising = len(self.ocv) >= 2 and all(a < b for a, b in pairwise(self.ocv))
        sane = all(0 < value < math.inf for value in (self.capacity_wh, self.cut_off_v, self.ocv[0]))
        if not (rising and sane and 0 <= self.resistance_ohm < math.inf):
            raise InvalidRequest(
                "A battery needs a positive capacity and cut-off, a resistance that is not negative, and voltages"
                " that rise with the charge."
            )
        joules, mean_v = 3600 * self.capacity_wh, self._area_v(1.0)
        object.__setattr__(self, "capacity_as", joules / mean_v)

    def open_v(self, charge: float) -> float:
        """The voltage without a load, by straight lines between the points of the curve."""
        place = min(1.0, max(0.0, charge)) * (len(self.ocv) - 1)
        index = min(int(place), len(self.ocv) - 2)
        return self.ocv[index] + (place - index) * (self.ocv[index + 1] - self.ocv[index])

    def current_a(self, charge: float, watts: float) -> float:
        """What a load draws; infinite where the battery cannot give so much at this charge."""
        open_v = self.open_v(charge)
        if self.resistance_ohm == 0:
            return watts / open_v
        inside = open_v**2 - 4 * self.resistance_ohm * watts
        if inside < 0:
            return math.inf
        return 2 * watts / (open_v + math.sqrt(inside))

    def holds(self, charge: float, watts: float) -> bool:
        """Whether the voltage under that load stays above the cut-off."""
        current = self.current_a(charge, watts)
        return math.isfinite(current) and self.open_v(charge) - current * self.resistance_ohm > self.cut_off_v

    def after(self, charge: float, watts: float, seconds: float) -> float:
        """The charge after a constant load; 0 where it went off on the way. Watts below 0 charge it, up to 1."""
        dt = seconds / _STEPS
        for _ in range(_STEPS):
            if watts > 0 and not self.holds(charge, watts):
                return 0.0
            middle = charge - self.current_a(charge, watts) * dt / 2 / self.capacity_as
            current = self.current_a(middle, watts)
            if not math.isfinite(current):
                return 0.0
            charge = min(1.0, max(0.0, charge - current * dt / self.capacity_as))
        return charge

    def energy_j(self, charge: float, floor: float = 0.0) -> float:
        """What lies between a charge and a floor, could it all be drawn: the area under the curve."""
        if charge <= floor:
            return 0.0
        return self.capacity_as * (self._area_v(charge) - self._area_v(floor))

    def usable_j(self, charge: float, floor: float, watts: float) -> float:
        """What a load of so many watts gets of it: less what the resistance turns into heat, and above the cut-off."""
        if watts <= 0 or charge <= floor:
            return self.energy_j(charge, floor)
        total, step = 0.0, (charge - floor) / _STEPS
        for number in range(_STEPS):
            middle = charge - (number + 0.5) * step
            if not self.holds(middle, watts):
                break
            total += watts * step * self.capacity_as / self.current_a(middle, watts)
        return total

    def _area_v(self, charge: float) -> float:
        """Integral of the curve from 0 to a charge."""
        place = min(1.0, max(0.0, charge)) * (len(self.ocv) - 1)
        whole, width = int(place), 1 / (len(self.ocv) - 1)
        area = sum((low + high) / 2 for low, high in pairwise(self.ocv[: whole + 1])) * width
        if whole < len(self.ocv) - 1:
            area += (place - whole) * width * (self.ocv[whole] + self.open_v(charge)) / 2
        return area


PHONE_BATTERY: Final = Battery()
