"""All that may leave the device on one edge node: with a private prompt that is stages 3 and 4."""

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import Tier
from eapg_split.planner.placement import place, require
from eapg_split.planner.policy import PlanView


class EdgeOnlyPolicy:
    """Text and denoising on the edge as far as privacy allows; on the device while no edge node answers.

    Raises Refusal where the topology has no edge node at all.
    """

    name = "edge-only"
    uses_estimates = False  # nobody is watched for it

    def plan(self, view: PlanView) -> Plan:
        require(view, Tier.EDGE, self.name)
        return place(view, lambda stage: (Tier.EDGE,))
