"""What the policies that plan by cost share: the exact plan, its stand-in, and what is wrong with an old one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import PlanView
from eapg_split.planner.pyramid import PyramidPolicy
from eapg_split.planner.revisions import illegal
from eapg_split.planner.solve import Solution, plan_of, price, solve

_UNMEASURED: Final = "Nothing was measured yet: the plan is the pyramid's."
_LATE: Final = "The deadline will probably be missed: the plan is the fastest that is left."


def unmeasured_plan(view: PlanView) -> Plan:
    """The pyramid's placement for a view without estimates. Raises InfeasiblePlan."""
    plan = PyramidPolicy().plan(view)
    return replace(plan, notes=(*plan.notes, _UNMEASURED))


def best(view: PlanView, tables: Callable[[PlanView], CostTables] = CostTables.of) -> Solution:
    """The exact optimum. A running job that can no longer keep its deadline goes on without it, and says so.

    Only a plan's promise is given up so: the runtime ends the job when the deadline has really passed.
    Raises InfeasiblePlan.
    """
    try:
        return solve(view, tables(view))
    except InfeasiblePlan:
        if view.start_step == 0 or not math.isfinite(view.objective.deadline_s):
            raise
    late = replace(view, objective=replace(view.objective, deadline_s=math.inf))
    found = solve(late, tables(late))
    return replace(found, plan=replace(found.plan, notes=(*found.plan.notes, _LATE)))


def optimal_plan(view: PlanView) -> Plan:
    """The exact optimum, or the pyramid's placement where nothing was measured. Raises InfeasiblePlan."""
    return unmeasured_plan(view) if view.estimates is None else best(view).plan


def fault(view: PlanView, current: Plan) -> str:
    """Why the rest of a plan cannot go on: a rule, or a limit that it would break by the estimates; else empty."""
    broken = illegal(view, current)
    if broken or view.estimates is None:
        return broken
    score = price(view, rest_of(view, current))
    return "" if score.feasible else score.why


def planned_by(name: str, view: PlanView, choose: Callable[[CostTables], Sequence[int] | None]) -> Plan:
    """The plan of a baseline that chooses a node for each step that is left, by its number in the tables.

    Where it finds none, or none within the limits, the exact one stands in, with a note. Raises InfeasiblePlan.
    """
    if view.estimates is None:
        return unmeasured_plan(view)
    tables = CostTables.of(view)
    path = choose(tables)
    if path is not None:
        try:
            return check_plan(view, plan_of(tables, path))
        except InfeasiblePlan:
            pass
    plan = solve(view, tables).plan
    return replace(
        plan, notes=(*plan.notes, f"{name} found no plan within the limits: planned by dp-static.")
    )
