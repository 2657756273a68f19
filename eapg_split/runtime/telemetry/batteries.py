"""All batteries below a power_supply class as one: charge, mains, power and temperatures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eapg_split.runtime.telemetry.files import entries, number, text
from eapg_split.runtime.telemetry.heat import Heat

_MICRO: Final = 1e-6
_FULL: Final = 1.05  # a worn gauge may say a little more than all


@dataclass(frozen=True, slots=True)
class Batteries:
    """None where it is not known. `power_w` is only known while the node runs on battery."""

    charge: float | None = None
    plugged: float | None = None
    power_w: float | None = None
    heats: tuple[Heat, ...] = ()


def batteries_of(folder: Path) -> Batteries:
    """The system's batteries; those of mice and headsets are not."""
    supplies = entries(folder)
    packs = [
        each for each in supplies if text(each / "type") == "Battery" and text(each / "scope") != "Device"
    ]
    packs = [each for each in packs if text(each / "present") != "0"]
    others = [each for each in supplies if text(each / "type") in ("Mains", "USB", "USB_PD", "Wireless")]
    states = [text(pack / "status") for pack in packs]
    heats = [Heat("battery", value) for pack in packs if (value := number(pack / "temp", 0.1)) is not None]
    return Batteries(_charge(packs), _plugged(states, others), _power(packs, states), tuple(heats))


def _charge(packs: Sequence[Path]) -> float | None:
    """Weighted by what each holds where all of them tell, else their mean."""
    known = [(charge, _size(pack)) for pack in packs if (charge := _charge_of(pack)) is not None]
    if not known:
        return None
    weights = [size for _, size in known] if all(size for _, size in known) else [1.0] * len(known)
    return sum(charge * weight for (charge, _), weight in zip(known, weights, strict=True)) / sum(weights)


def _charge_of(pack: Path) -> float | None:
    capacity = number(pack / "capacity", 0.01)
    if capacity is not None and 0 <= capacity <= 1:
        return capacity
    for kind in ("energy", "charge"):
        now, full = number(pack / f"{kind}_now"), number(pack / f"{kind}_full")
        if now is not None and full and 0 <= now <= _FULL * full:
            return min(1.0, now / full)
    return None


def _size(pack: Path) -> float:
    """What it holds when full, in micro-watt-hours; 0 where it does not tell."""
    energy = number(pack / "energy_full")
    if energy and energy > 0:
        return energy
    charge, volts = number(pack / "charge_full"), number(pack / "voltage_now", _MICRO)
    return charge * volts if charge and volts and charge > 0 and volts > 0 else 0.0


def _plugged(states: Sequence[str], others: Sequence[Path]) -> float | None:
    if "Discharging" in states:
        return 0.0
    online = [value for each in others if (value := number(each / "online")) is not None]
    if any(value > 0 for value in online) or any(
        state in ("Charging", "Full", "Not charging") for state in states
    ):
        return 1.0
    return 0.0 if online and states else None


def _power(packs: Sequence[Path], states: Sequence[str]) -> float | None:
    """What the batteries give. While one is charged nobody knows what the node draws.

    The sign of the current is not trusted: drivers disagreed on it until 2020.
    """
    if "Discharging" not in states or "Charging" in states:
        return None
    draining = [pack for pack, state in zip(packs, states, strict=True) if state == "Discharging"]
    watts = [_watts(pack) for pack in draining]
    known = [value for value in watts if value is not None]
    return sum(known) if len(known) == len(draining) else None


def _watts(pack: Path) -> float | None:
    power = number(pack / "power_now", _MICRO)
    if power:
        return abs(power)
    amperes, volts = number(pack / "current_now", _MICRO), number(pack / "voltage_now", _MICRO)
    return abs(amperes) * volts if amperes and volts and volts > 0 else None
