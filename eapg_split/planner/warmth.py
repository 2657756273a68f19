"""The device's heat along a plan: it warms while it computes, cools while it waits, and its clock follows."""

import math
from collections.abc import Sequence

from eapg_split.planner.cost import CostTables
from eapg_split.planner.models.thermal import Phase, ThermalModel


class Warmth:
    """Rolls the thermal model of the device from leg to leg.

    The steps' seconds are of the clock as it is now: the work in them at full clock follows from the governor's level.
    """

    def __init__(self, tables: CostTables, model: ThermalModel, temperature_c: float) -> None:
        self._model, self._idle_w = model, tables.idle_w
        self._heat = model.seen(temperature_c)
        self._ratio = model.governor.ratios[self._heat.level]
        self._watts = float(tables.per_node.active_w[tables.device]) / self._ratio**model.power_exponent
        self.slowdown: list[float] = []  # of each step so far, on the device
        self.step_c: list[float] = []  # at the end of each step so far

    @classmethod
    def of(cls, tables: CostTables) -> "Warmth | None":
        """None where the device's heat is not modelled."""
        device = tables.estimates.nodes.get(tables.nodes[tables.device])
        if device is None or device.heat is None or not math.isfinite(device.temperature_c):
            return None
        return cls(tables, device.heat, device.temperature_c)

    @property
    def temperature_c(self) -> float:
        return self._heat.skin_c

    def wait(self, seconds: float) -> None:
        """The device idles."""
        if seconds > 0:
            self._heat = self._model.rolled(self._heat, Phase(self._idle_w, idle_s=seconds)).heat

    def elsewhere(self, steps_s: Sequence[float]) -> None:
        """Another node computes steps."""
        for seconds in steps_s:
            self.wait(seconds)
            self._note(self._ratio / self._model.governor.ratios[self._heat.level])

    def computes(self, steps_s: Sequence[float], entry_s: float) -> tuple[float, float]:
        """The device computes steps: seconds and joules that they really take."""
        total = joules = 0.0
        for number, seconds in enumerate(steps_s):
            work = (seconds + (0.0 if number else entry_s)) * self._ratio
            rolled = self._model.rolled(self._heat, Phase(self._watts, work_s=work))
            self._heat = rolled.heat
            total, joules = total + rolled.seconds, joules + rolled.joules
            self._note(rolled.seconds * self._ratio / work if work > 0 else 1.0)
        return total, joules

    def _note(self, slowdown: float) -> None:
        self.slowdown.append(slowdown)
        self.step_c.append(self.temperature_c)
