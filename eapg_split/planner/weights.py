"""What a goal is worth: seconds, joules of the device and money, added up to one number."""

from dataclasses import dataclass
from typing import Final

from eapg_split.planner.estimates import NodeEstimate
from eapg_split.planner.policy import Goal, Objective

TIE: Final = (
    1e-6  # the share of what a goal does not ask for: it only decides between plans that are else equal
)

# Balanced counts seconds. On a full battery a second of computing at 5 W counts as 1.1 s, on an empty one as 3.5 s.
SECONDS_PER_JOULE: Final = 0.02
LOW_CHARGE: Final = 0.5  # below it energy becomes dearer
EMPTY_FACTOR: Final = 24.0  # by how much, besides, when the battery is empty
SECONDS_PER_MONEY: Final = 360.0  # ten an hour, in any currency, is what waiting is worth


@dataclass(frozen=True, slots=True)
class Weights:
    """The objective is time * seconds + energy * joules + money * money."""

    time: float
    energy: float
    money: float

    def of(self, time_s: float, energy_j: float, money: float) -> float:
        return self.time * time_s + self.energy * energy_j + self.money * money


def weights_of(objective: Objective, device: NodeEstimate) -> Weights:
    """The weights of a goal, with the device's battery as it is now."""
    match objective.goal:
        case Goal.LATENCY:
            return Weights(1.0, TIE, TIE)
        case Goal.ENERGY:
            return Weights(TIE, 1.0, TIE)
        case Goal.COST:
            return Weights(TIE, TIE, 1.0)
        case Goal.BALANCED:
            return Weights(1.0, max(seconds_per_joule(device), TIE), SECONDS_PER_MONEY)


def seconds_per_joule(device: NodeEstimate) -> float:
    """lam0 * (1 + g * max(0, (s0 - s) / s0)**2) for a charge s, with the constants above; 0 on mains.

    An unknown charge counts as full: what is not known must not drive the work away.
    """
    if not device.battery_j < float("inf"):
        return 0.0
    charge = device.charge if device.charge >= 0 else 1.0
    low = max(0.0, (LOW_CHARGE - charge) / LOW_CHARGE)
    return SECONDS_PER_JOULE * (1.0 + EMPTY_FACTOR * low * low)
