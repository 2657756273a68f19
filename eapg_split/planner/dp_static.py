"""The exact optimum, made once: how much re-planning is worth is seen beside it."""

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.optimal import fault, optimal_plan
from eapg_split.planner.policy import Occasion, PlanView, Revision
from eapg_split.planner.revisions import illegal, same


class DpStaticPolicy:
    """The best plan by the estimates at the start; another one only when it cannot go on."""

    name = "dp-static"

    def plan(self, view: PlanView) -> Plan:
        return optimal_plan(view)

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        """Replaces a plan that breaks a rule or a limit; one that only breaks a limit is kept where all others do."""
        del occasion
        why = fault(view, current)
        if not why:
            return Revision(None, "The plan can go on.")
        try:
            plan = optimal_plan(view)
        except InfeasiblePlan as error:
            if illegal(view, current):
                raise
            return Revision(None, f"No plan keeps every limit: {error.message}")
        if same(view, current, plan):
            return Revision(None, f"No plan is better although this one breaks a limit: {why}")
        return Revision(plan, why)
