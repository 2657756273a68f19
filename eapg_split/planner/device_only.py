"""Everything on the device: no network, no waiting for others, nothing leaves."""

from eapg_split.domain.plan import Plan
from eapg_split.planner.placement import place
from eapg_split.planner.policy import PlanView


class DeviceOnlyPolicy:
    """All steps on the device."""

    name = "device-only"
    uses_estimates = False  # nobody is watched for it

    def plan(self, view: PlanView) -> Plan:
        return place(view, lambda stage: ())
