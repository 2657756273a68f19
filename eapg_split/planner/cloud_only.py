"""All that may leave the device on one cloud node: with a private prompt that is stages 3 and 4."""

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import Tier
from eapg_split.planner.placement import place, require
from eapg_split.planner.policy import PlanView


class CloudOnlyPolicy:
    """Text and denoising on the cloud as far as privacy allows; on the device while no cloud node answers.

    Raises Refusal where the topology has no cloud node at all.
    """

    name = "cloud-only"
    uses_estimates = False  # nobody is watched for it

    def plan(self, view: PlanView) -> Plan:
        require(view, Tier.CLOUD, self.name)
        return place(view, lambda stage: (Tier.CLOUD,))
