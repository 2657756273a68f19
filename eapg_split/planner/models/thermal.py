"""Heat of a device: a die over a skin over the air, solved in closed form from one event to the next.

    C_die  dT_die/dt  = P - (T_die - T_skin) / R_die
    C_skin dT_skin/dt = (T_die - T_skin) / R_die - (T_skin - T_air) / R_skin

At constant power both temperatures are a constant and two decaying exponentials. The governor reads the skin, so
that an event is the moment when the skin crosses one of its thresholds. The default figures are a phone's, right in
their order of magnitude: die 7 s, skin 210 s and 45 J/K (S25_THERMAL's second fit of a Galaxy S25+).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.governor import PHONE_GOVERNOR, Governor

_LARGEST_EVENTS: Final = 10_000  # of one phase: hysteresis keeps them far below
_CLOSE_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Heat:
    """Temperatures in Celsius, and the governor's level."""

    die_c: float
    skin_c: float
    level: int = 0


@dataclass(frozen=True, slots=True)
class Phase:
    """What a device does for a while: `work_s` seconds of computing at full clock, or `idle_s` of waiting.

    Raises InvalidRequest for what is negative or not finite.
    """

    watts: float
    work_s: float = 0.0
    idle_s: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= value < math.inf for value in (self.watts, self.work_s, self.idle_s)):
            raise InvalidRequest("A phase of heat needs watts and seconds that are finite and not negative.")


@dataclass(frozen=True, slots=True)
class Rolled:
    """A phase as the heat let it be: the real seconds, the energy in joules, and the heat at its end."""

    seconds: float
    joules: float
    heat: Heat

    @property
    def skin_c(self) -> float:
        return self.heat.skin_c


@dataclass(frozen=True)
class ThermalModel:
    """Kelvin per watt and joules per Kelvin of the two nodes. Raises InvalidRequest unless they are positive.

    At a clock ratio r computing draws `watts * r ** power_exponent` and takes 1 / r of the time. The exponent is an
    assumption: 2 lies between a fixed voltage (1) and one that follows the clock (3).
    """

    air_c: float = 25.0
    die_k_per_w: float = 2.0
    die_j_per_k: float = 3.5
    skin_k_per_w: float = 14 / 3
    skin_j_per_k: float = 45.0
    governor: Governor = PHONE_GOVERNOR
    power_exponent: float = 2.0

    def __post_init__(self) -> None:
        parts = (self.die_k_per_w, self.die_j_per_k, self.skin_k_per_w, self.skin_j_per_k)
        if not (all(0 < part < math.inf for part in parts) and math.isfinite(self.air_c)):
            raise InvalidRequest("A thermal model needs positive resistances and capacities.")

    def seen(self, temperature_c: float, clock_ratio: float | None = None) -> Heat:
        """The state of a device of which one temperature is known (NaN: as warm as the air), perhaps its clock."""
        if math.isnan(temperature_c):
            temperature_c = self.air_c
        level = self.governor.level(temperature_c)
        if clock_ratio is not None:
            level = max(level, self.governor.nearest(clock_ratio))
        return Heat(temperature_c, temperature_c, level)

    def settled(self, watts: float) -> Heat:
        """Where constant power ends, were there no governor to change it."""
        skin_c = self.air_c + watts * self.skin_k_per_w
        return Heat(skin_c + watts * self.die_k_per_w, skin_c, self.governor.level(skin_c))

    def after(self, heat: Heat, watts: float, seconds: float) -> Heat:
        """The temperatures after so many seconds of constant power; the level stays."""
        return _Course(self, heat, watts).at(seconds)

    def rolled(self, heat: Heat, phase: Phase) -> Rolled:
        """One phase from `heat` on: as long and as costly as the governor makes it."""
        computing, left = phase.work_s > 0, phase.work_s or phase.idle_s
        seconds = joules = 0.0
        for _ in range(_LARGEST_EVENTS):
            ratio = self.governor.ratios[heat.level] if computing else 1.0
            watts = phase.watts * ratio**self.power_exponent
            course, lasts = _Course(self, heat, watts), left / ratio
            event = course.crossing(lasts, *self.governor.bounds(heat.level))
            now = lasts if event is None else event
            heat = course.at(now)
            seconds, joules, left = seconds + now, joules + watts * now, left - now * ratio
            if event is None:
                break
            heat = Heat(heat.die_c, heat.skin_c, self.governor.level(heat.skin_c, heat.level))
        return Rolled(seconds, joules, heat)

    def roll(self, heat: Heat, phases: Iterable[Phase]) -> Iterator[Rolled]:
        """Phase after phase, for instance the steps of a plan with the device's share and its waiting."""
        for phase in phases:
            rolled = self.rolled(heat, phase)
            heat = rolled.heat
            yield rolled

    @cached_property
    def rates(self) -> tuple[float, float]:
        """The two negative eigenvalues in 1/s: of the fast node, and of the slow one."""
        a, b, c, d = self.matrix
        middle, spread = (a + d) / 2, math.sqrt(((a - d) / 2) ** 2 + b * c)
        return middle - spread, (a * d - b * c) / (middle - spread)

    @cached_property
    def matrix(self) -> tuple[float, float, float, float]:
        """Of d(T_die, T_skin)/dt around the steady state, row by row."""
        inward = 1 / (self.die_k_per_w * self.skin_j_per_k)
        die = 1 / (self.die_k_per_w * self.die_j_per_k)
        return -die, die, inward, -inward - 1 / (self.skin_k_per_w * self.skin_j_per_k)


class _Course:
    """Both temperatures over time at constant power: the steady state and the shares of the two exponentials."""

    def __init__(self, model: ThermalModel, heat: Heat, watts: float) -> None:
        skin = model.air_c + watts * model.skin_k_per_w
        self._steady = skin + watts * model.die_k_per_w, skin
        die_off, skin_off = heat.die_c - self._steady[0], heat.skin_c - self._steady[1]
        a, b, c, d = model.matrix
        fast, slow = model.rates
        span = fast - slow
        self._fast = (
            ((a - slow) * die_off + b * skin_off) / span,
            (c * die_off + (d - slow) * skin_off) / span,
        )
        self._slow = die_off - self._fast[0], skin_off - self._fast[1]
        self._rates, self._level = model.rates, heat.level
        self._begin = heat

    def at(self, seconds: float) -> Heat:
        if seconds <= 0:
            return self._begin
        fast, slow = math.exp(self._rates[0] * seconds), math.exp(self._rates[1] * seconds)
        die = self._steady[0] + self._fast[0] * fast + self._slow[0] * slow
        skin = self._steady[1] + self._fast[1] * fast + self._slow[1] * slow
        return Heat(die, skin, self._level)

    def crossing(self, within_s: float, below_c: float, above_c: float) -> float | None:
        """The first moment when the skin is at or beyond one of the bounds; None where it stays between them."""
        if not below_c < self._begin.skin_c < above_c:
            return 0.0
        begin = 0.0
        for end in self._monotone_until(within_s):
            skin = self.at(end).skin_c
            if not below_c < skin < above_c:
                return self._bisected(begin, end, below_c, above_c)
            begin = end
        return None

    def _monotone_until(self, within_s: float) -> Iterator[float]:
        """The ends of the stretches in which the skin only rises or only falls: one turn at most."""
        fast, slow = self._rates[0] * self._fast[1], self._rates[1] * self._slow[1]
        if fast * slow < 0:
            turn = math.log(-slow / fast) / (self._rates[0] - self._rates[1])
            if 0 < turn < within_s:
                yield turn
        yield within_s

    def _bisected(self, inside: float, beyond: float, below_c: float, above_c: float) -> float:
        while beyond - inside > _CLOSE_S * (1 + inside):
            middle = (inside + beyond) / 2
            if below_c < self.at(middle).skin_c < above_c:
                inside = middle
            else:
                beyond = middle
        return beyond
