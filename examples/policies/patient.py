"""Plans as dp-adaptive does, but moves a running job only when that saves a third, or when it must."""

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import Occasion, PlanView, Revision
from eapg_split.planner.solve import price


class Patient(DpAdaptivePolicy):
    """A switch must save a third of what is left."""

    name = "patient"

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        revision = super().revise(view, current, occasion)
        if revision.plan is None or view.in_flight is not None:
            return revision
        try:
            staying = price(view, check_plan(view, rest_of(view, current)))
        except InfeasiblePlan:
            return revision  # it cannot stay
        moving = price(view, revision.plan)
        if not staying.feasible or moving.objective < staying.objective * 2 / 3:
            return revision
        return Revision(None, "Moving would save less than a third.")
