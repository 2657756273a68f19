"""What is known of one node: what its steps cost, how it is, and what follows for how fast it is and what it spends."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import Tier
from eapg_split.planner.models.battery import PHONE_BATTERY
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.planner.priors import ACTIVE_W, IDLE_W, assumed_cost

STALE_S: Final = 30.0  # telemetry that is older says nothing any more
_LEAST_CLOCK: Final = 0.05
_LEAST_SHARE: Final = 0.5  # of a busy processor: the system shares it fairly between others and us
_BATTERY_FLOOR: Final = 0.05  # share of the charge that no job touches
_UNKNOWN: Final = Telemetry()
_PHONE: Final = ThermalModel()


@dataclass(frozen=True, slots=True)
class Power:
    """Watts and joules of a node's battery: none on mains."""

    active_w: float = 0.0
    idle_w: float = 0.0
    battery_j: float = math.inf


@dataclass(frozen=True, slots=True)
class NodeKnowledge:
    """What is known of one node; without anything, the priors of its tier stand in.

    `telemetry_age_s` is how old the newest telemetry is. `ours` says that the node computes for this very job: then its
    load and its queue are our own, and nothing to wait for. `max_entropy_bits` is a limit that the node declares,
    besides what its battery and heat allow. `heat` is how it warms; without it, a phone's model stands in for a node on
    battery that tells the temperature of its skin.
    """

    profile: Profile | None = None
    telemetry: Telemetry | None = None
    telemetry_age_s: float = math.inf
    price_per_s: float = 0.0
    max_entropy_bits: float = math.inf
    lease_s: float = 0.0  # until a reservation on it begins
    ours: bool = False
    heat: ThermalModel | None = None

    @property
    def now(self) -> Telemetry:
        """The telemetry, or one in which all is unknown where it is missing or stale."""
        fresh = self.telemetry is not None and self.telemetry_age_s <= STALE_S
        return self.telemetry if self.telemetry is not None and fresh else _UNKNOWN

    @property
    def on_battery(self) -> bool:
        """Whether it says so: what is unknown is on mains."""
        now = self.now
        return now.plugged.or_else(1.0) < 0.5 and now.charge.known

    @property
    def slowdown(self) -> float:
        """How much longer steps take now than on an idle processor at full clock."""
        now = self.now
        clock = min(1.0, max(_LEAST_CLOCK, now.clock_ratio.or_else(1.0)))
        others = 0.0 if self.ours else now.load.or_else(0.0)
        return 1 / (clock * max(_LEAST_SHARE, 1.0 - others))

    @property
    def waits_s(self) -> float:
        """Until it could start, were its weights loaded."""
        queue_s = 0.0 if self.ours else self.now.queue_s.or_else(0.0)
        return max(queue_s, self.lease_s)

    def cost(self, stage: str, tier: Tier) -> StageCost:
        """As measured; as the slowest stage where this one was not; the tier's prior where none was."""
        measured = self.profile.stages if self.profile is not None else {}
        if stage in measured:
            return measured[stage]
        if measured:
            return replace(min(measured.values(), key=lambda cost: cost.flops_per_s), uncertain=True)
        return assumed_cost(tier)

    def power(self, costs: Iterable[StageCost]) -> Power:
        """On mains, and where nobody knows, energy is not the node's concern."""
        if not self.on_battery:
            return Power()
        watts = [cost.joules_per_s for cost in costs if cost.joules_per_s is not None]
        active_w = sum(watts) / len(watts) if watts else ACTIVE_W
        left = PHONE_BATTERY.energy_j(self.now.charge.value, _BATTERY_FLOOR)
        return Power(active_w, min(IDLE_W, active_w), left)

    @property
    def warming(self) -> ThermalModel | None:
        """How it warms: a temperature without a headroom is a skin's, for processors have one (telemetry.heat)."""
        now = self.now
        if self.heat is not None or not (self.on_battery and now.temperature_c.known):
            return self.heat
        return None if now.headroom.known else _PHONE
