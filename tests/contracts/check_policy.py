"""What every policy owes: run `check_policy` over each one, with views of many kinds."""

from itertools import pairwise

from eapg_split.domain.plan import Plan
from eapg_split.domain.request import Privacy
from eapg_split.domain.workload import StageKind
from eapg_split.planner.policy import PlanView, Policy


def check_policy(policy: Policy, view: PlanView) -> Plan:
    """The plan covers what is left, once and in order, and keeps privacy, whatever may be unavailable."""
    plan = policy.plan(view)
    assert plan == policy.plan(view), "a policy must be a function of its view"
    covered = [step for s in plan.segments for step in range(s.start_step, s.stop_step)]
    assert covered == list(range(view.start_step, view.workload.steps))
    assert all(early.node != late.node for early, late in pairwise(plan.segments))
    device = view.topology.device.id
    for step in covered:
        node, stage = plan.segment_at(step).node, view.workload.stage_of(step)
        assert node not in view.unavailable
        if stage.kind is StageKind.DECODE:
            assert node == device
        if stage.sees_text and view.objective.privacy is Privacy.PROMPT_LOCAL:
            assert node == device
    assert all(cut.codec == view.objective.codec for cut in plan.cuts)
    return plan
