"""What a node of a simulation really is: its speed, its room, its battery, heat and radio."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.radio import RADIOS, Radio, Technology
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.planner.priors import ACTIVE_W, IDLE_W, RADIO
from simulations.body import Cell
from simulations.looks import Looks

MAX_ENGINES: Final = 4096


def watts_of(costs: Iterable[StageCost]) -> tuple[float, float]:
    """Drawn by a node of these costs while it computes, and while it waits."""
    known = [cost.joules_per_s for cost in costs if cost.joules_per_s is not None]
    active_w = sum(known) / len(known) if known else ACTIVE_W
    return active_w, min(IDLE_W, active_w)


@dataclass(frozen=True)
class NodeSpec:
    """One node as it really is. `drift` is how much longer its steps take than its profile says.

    `slots` sessions have a segment there at a time, `engines` steps run at a time, and `batch` of them together on one
    engine, where each beyond the first adds `batch_cost` of its time. `noise` is the deviation of a step's logarithm.
    Raises InvalidRequest for what no node is.
    """

    id: NodeId
    tier: Tier
    stages: Mapping[str, StageCost]
    price_per_s: float = 0.0
    memory_bytes: int | None = None
    slots: int = 4
    engines: int = 1
    batch: int = 1
    batch_cost: float = 0.3
    warm: bool = True  # whether all weights are loaded at the beginning
    load: float = 0.0  # of the processor by others
    drift: float = 1.0
    noise: float = 0.03
    cell: Cell | None = None
    heat: ThermalModel | None = None
    technology: Technology | None = None
    place: tuple[float, float] | None = None  # on a map
    really: Mapping[str, StageCost] | None = None  # what stages cost, where that is not what its profile says
    resident: tuple[str, ...] = ()  # weights that are there at the beginning, where it is not warm
    looks: Looks | None = None  # how it was in a run that is run again

    def __post_init__(self) -> None:
        counts = min(self.slots, self.engines, self.batch) >= 1 and self.engines <= MAX_ENGINES
        shares = 0 <= self.load < 1 and self.drift > 0 and self.noise >= 0 and self.batch_cost >= 0
        if not (counts and shares and self.price_per_s >= 0):
            raise InvalidRequest(
                f"Node {self.id} needs at least one slot, engine and step of a batch, a load from 0 to below 1, and no"
                " negative price, drift or noise."
            )
        if (self.cell or self.heat) and self.engines > 1:
            raise InvalidRequest(f"Node {self.id} has a battery or heat: give it one engine.")

    def cost(self, stage: str) -> StageCost:
        """What a stage really costs it."""
        return (self.really or self.stages)[stage]

    @property
    def watts(self) -> tuple[float, float]:
        """Drawn while it computes, and while it waits."""
        return watts_of(self.stages.values())

    @property
    def radio(self) -> Radio:
        """What moving bytes costs it."""
        return RADIO if self.technology is None else RADIOS[self.technology]

    @property
    def profile(self) -> Profile:
        """What it says of itself."""
        return Profile(self.id, "simulated", "", self.stages)
