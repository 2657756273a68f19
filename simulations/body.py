"""What a device's work does to its battery and its temperature, solved from one event to the next."""

from copy import copy
from dataclasses import dataclass, field
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.battery import Battery
from eapg_split.planner.models.thermal import Heat, Phase, ThermalModel

_LONG_S: Final = 30.0  # beyond this a discharge is integrated step by step
_LEAST_SHARE: Final = 0.5  # of a busy processor: others and we get as much


@dataclass(frozen=True)
class Cell:
    """A battery, how full it is at the beginning, and the watts of a charger from `plugged_s[0]` to `plugged_s[1]`."""

    charge: float = 1.0
    battery: Battery = field(default_factory=Battery)
    charger_w: float = 0.0
    plugged_s: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not (0 < self.charge <= 1 and self.charger_w >= 0 and self.plugged_s[0] <= self.plugged_s[1]):
            raise InvalidRequest(
                "A battery begins with a charge above 0 up to 1, and its plug goes in before out."
            )

    def plugged(self, now_s: float) -> bool:
        """Whether it is on mains."""
        return self.charger_w > 0 and self.plugged_s[0] <= now_s < self.plugged_s[1]


class Body:
    """One node's heat and charge. Without a cell it is on mains, without a model it stays as cool as it is."""

    def __init__(self, cell: Cell | None, heat: ThermalModel | None, *, watts: tuple[float, float]) -> None:
        """`watts` are drawn while it computes and while it waits."""
        self.cell = cell
        self.model = heat
        self.active_w, self.idle_w = watts
        self.watts = self.active_w  # on average, of the last step
        self.charge = cell.charge if cell is not None else 1.0
        self.heat = Heat(heat.air_c, heat.air_c) if heat is not None else Heat(0.0, 0.0)
        self._until_s = 0.0  # up to when both are worked out
        self._before: tuple[float, float, Heat] | None = (
            None  # when the step began that runs, charge and heat then
        )

    @property
    def clock_ratio(self) -> float:
        """Of the clock as the governor leaves it."""
        return self.model.governor.ratios[self.heat.level] if self.model is not None else 1.0

    def compute(self, work_s: float, now_s: float) -> float:
        """A step of so many seconds at full clock begins now; returns how long it takes."""
        self.wait(now_s)
        self._before = now_s, self.charge, self.heat
        seconds = work_s
        self.watts = self.active_w
        if self.model is not None:
            rolled = self.model.rolled(self.heat, Phase(self.active_w, work_s=work_s))
            seconds, self.heat = rolled.seconds, rolled.heat
            if seconds > 0:
                self.watts = rolled.joules / seconds
        self._drain(self.watts, now_s, seconds)
        self._until_s = now_s + seconds
        return seconds

    def wait(self, now_s: float) -> None:
        """Nothing was computed until now."""
        idle_s = now_s - self._until_s
        if idle_s <= 0:
            return
        if self.model is not None:
            self.heat = self.model.rolled(self.heat, Phase(self.idle_w, idle_s=idle_s)).heat
        self._drain(self.idle_w, self._until_s, idle_s)
        self._until_s = now_s

    def spend(self, joules: float) -> None:
        """Energy that the radio took."""
        if self.cell is not None:
            battery = self.cell.battery
            used = joules / (battery.open_v(self.charge) * battery.capacity_as)
            self.charge = max(0.0, self.charge - used)

    def seen(self, now_s: float) -> tuple[float, float]:
        """Charge and skin in Celsius now; while a step runs, on the straight line between its beginning and its end."""
        if self._before is None or now_s >= self._until_s:
            self.wait(now_s)
            return self.charge, self.heat.skin_c
        began_s, charge, heat = self._before
        share = (now_s - began_s) / (self._until_s - began_s)
        skin = heat.skin_c + share * (self.heat.skin_c - heat.skin_c)
        return charge + share * (self.charge - charge), skin

    @property
    def worked_out(self) -> tuple[float, float]:
        """Up to when charge and heat are worked out, and the charge then: another whenever something happened."""
        return self._until_s, self.charge

    def likeness(self) -> "Body":
        """One that goes on alike, for who looks on: nothing that it works out is known to this one."""
        return copy(self)

    @property
    def empty(self) -> bool:
        """Whether the battery has nothing left."""
        return self.cell is not None and self.charge <= 0.0

    def _drain(self, watts: float, from_s: float, seconds: float) -> None:
        """Discharges, and charges while it is plugged in, piece by piece."""
        cell = self.cell
        if cell is None or seconds <= 0:
            return
        ends = [moment for moment in cell.plugged_s if from_s < moment < from_s + seconds]
        for begin, end in zip([from_s, *ends], [*ends, from_s + seconds], strict=True):
            net = watts - (cell.charger_w if cell.plugged(begin) else 0.0)
            self.charge = self._after(cell.battery, net, end - begin)

    def _after(self, battery: Battery, watts: float, seconds: float) -> float:
        if self.charge <= 0 and watts >= 0:
            return 0.0
        if seconds > _LONG_S:
            return battery.after(self.charge, watts, seconds)
        if watts > 0 and not battery.holds(self.charge, watts):
            return 0.0
        used = battery.current_a(self.charge, watts) * seconds / battery.capacity_as
        return min(1.0, max(0.0, self.charge - used))


def busy_factor(load: float) -> float:
    """How much longer a step takes beside others that use so much of the processor."""
    return 1 / max(_LEAST_SHARE, 1 - load)
