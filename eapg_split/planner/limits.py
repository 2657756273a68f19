"""What a plan owes besides `Plan.check`: the limits of the objective, and the shape of a value that a stranger made."""

from typing import Final

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.workload import Stage
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.policy import PlanView

MAX_NOTES: Final = 32
MAX_NOTE_CHARACTERS: Final = 500


def check_plan(view: PlanView, plan: object) -> Plan:
    """The same plan, once it is known to obey the view's rules and every limit that needs no estimate.

    Those are the number of cuts, pins, memory caps and codecs. Time, energy and money are the policy's affair.
    Raises InfeasiblePlan with the rule that is broken.
    """
    if not isinstance(plan, Plan):
        raise InfeasiblePlan(f"A policy must return a Plan, not {type(plan).__name__}.")
    _check_shape(plan)
    plan.check(view.rules)
    if len(plan.cuts) > view.objective.max_cuts:
        raise InfeasiblePlan(
            f"The plan has {len(plan.cuts)} cuts and {view.objective.max_cuts} are allowed: allow more."
        )
    _check_codecs(view, plan)
    for segment in plan.segments:
        for stage in view.workload.stages:
            if segment.start_step < stage.stop_step and stage.start_step < segment.stop_step:
                _check_stage(view, segment, stage)
    return plan


def allowed_codecs(view: PlanView) -> frozenset[str]:
    """The codec that was asked for; for "auto" also those that the estimates offer."""
    asked = view.objective.codec
    offered = view.estimates.codecs if view.estimates is not None and asked == "auto" else ()
    return frozenset({asked, *(codec.name for codec in offered)})


def _check_shape(plan: Plan) -> None:
    """A stranger's code need not keep to the types: what is stored and sent later on must have them."""
    parts: tuple[object, ...] = (plan.segments, plan.cuts, plan.notes)
    steps: list[object] = [step for part in plan.segments for step in (part.start_step, part.stop_step)]
    steps += [cut.step for cut in plan.cuts]
    names: list[object] = [part.node for part in plan.segments]
    names += [cut.codec for cut in plan.cuts]
    if (
        not all(isinstance(part, tuple) for part in parts)
        or not all(type(step) is int for step in steps)
        or not all(isinstance(name, str) for name in names)
    ):
        raise InfeasiblePlan("A plan is made of tuples, its steps are whole numbers and its names are text.")
    notes: tuple[object, ...] = plan.notes
    short = all(isinstance(note, str) and len(note) <= MAX_NOTE_CHARACTERS for note in notes)
    if not short or len(notes) > MAX_NOTES:
        raise InfeasiblePlan(f"A plan has at most {MAX_NOTES} notes of {MAX_NOTE_CHARACTERS} characters.")


def _check_codecs(view: PlanView, plan: Plan) -> None:
    allowed = allowed_codecs(view)
    for cut in plan.cuts:
        if cut.codec not in allowed:
            raise InfeasiblePlan(
                f"The plan cuts with the codec {cut.codec[:32]!r}; allowed are {', '.join(sorted(allowed))}."
            )


def _check_stage(view: PlanView, segment: Segment, stage: Stage) -> None:
    pin = view.objective.pins.get(stage.name)
    if pin is not None and pin != segment.node:
        raise InfeasiblePlan(f"{stage.name} is pinned to {pin}, and the plan runs it on {segment.node}.")
    cap = view.objective.memory_caps.get(segment.node)
    if cap is not None and stage.memory_bytes > cap:
        raise InfeasiblePlan(
            f"{stage.name} needs about {stage.memory_bytes / 1e6:.0f} MB, and {segment.node} is capped at "
            f"{cap / 1e6:.0f} MB: raise the cap or use another node."
        )
