"""The expert for high noise on the device, the one for low noise at the edge and in the cloud: no figure is needed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import Tier
from eapg_split.domain.workload import Stage
from eapg_split.planner.placement import place
from eapg_split.planner.policy import PlanView

_WISHES: Final[Mapping[str, tuple[Tier, ...]]] = MappingProxyType(
    {"stage3": (Tier.EDGE, Tier.CLOUD), "stage4": (Tier.CLOUD, Tier.EDGE)}
)


class PyramidPolicy:
    """Text and stages 1 and 2 on the device, 3 at the edge, 4 in the cloud, decode on the device.

    Where a tier is missing, the other remote tier takes its stage, and the device when there is none.
    """

    name = "pyramid"
    uses_estimates = False  # nobody is watched for it

    def plan(self, view: PlanView) -> Plan:
        return place(view, _wish)


def _wish(stage: Stage) -> tuple[Tier, ...]:
    return _WISHES.get(stage.name, ())
