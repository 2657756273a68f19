"""Whether what is left of a plan can go on, and what a revision of it owes."""

from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.errors import EapgError
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import PlanView, Revision

_MAX_REASON: Final = 500  # characters


def still_legal(view: PlanView, current: Plan) -> Plan | None:
    """What a plan says of what is left, where it breaks no rule now."""
    try:
        return check_plan(view, rest_of(view, current))
    except EapgError:
        return None


def illegal(view: PlanView, current: Plan) -> str:
    """Which rule the rest of a plan breaks now, for instance that a node went; empty where none."""
    try:
        check_plan(view, rest_of(view, current))
    except EapgError as error:
        return error.message
    return ""


def same(view: PlanView, current: Plan, other: Plan) -> bool:
    """Whether a plan says of what is left just what the current one says. Raises InfeasiblePlan where that is over."""
    rest = rest_of(view, current)
    return (rest.segments, rest.cuts) == (other.segments, other.cuts)


def check_revision(view: PlanView, current: Plan, revision: object) -> Revision:
    """The same, with a reason of a bounded length, once it is known to keep or to make a legal plan.

    Raises TypeError for what is no Revision, ValueError for one that keeps what cannot go on, and InfeasiblePlan with
    the rule that a new plan breaks.
    """
    if not isinstance(revision, Revision) or not isinstance(revision.reason, str):
        raise TypeError(f"revise must return a Revision with a reason, not {type(revision).__name__}")
    if revision.plan is None:
        broken = illegal(view, current)
        if broken:
            raise ValueError(f"revise keeps a plan that cannot go on: {broken}")
    else:
        check_plan(view, revision.plan)
    return Revision(revision.plan, revision.reason[:_MAX_REASON])
