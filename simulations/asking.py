"""A policy as a job asks it: a legal plan, whatever it does, as the runtime's host sees to it, but without threads."""

from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner import fallbacks
from eapg_split.planner.limits import check_plan
from eapg_split.planner.policy import (
    LearningPolicy,
    Measurement,
    Occasion,
    PlanView,
    Policy,
    Refusal,
    Revision,
    State,
    revises,
    wants_estimates,
)
from eapg_split.planner.revisions import check_revision, illegal

_FAILURES: Final = 3  # after which a policy is not asked again


class Asked:
    """One policy object, which serves one job. `failures` counts how often it raised or said what is not legal."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.failures = 0
        self.revises = revises(policy)
        self.wants_estimates = wants_estimates(policy)
        self._learner = policy if isinstance(policy, LearningPolicy) else None

    def plan(self, view: PlanView) -> Plan:
        """A legal plan. Raises InfeasiblePlan where no fallback finds one either, or the policy refuses."""
        infeasible: InfeasiblePlan | None = None
        if self.failures < _FAILURES:
            try:
                return check_plan(view, self._policy.plan(view))
            except Refusal:
                raise
            except InfeasiblePlan as error:
                infeasible = error
            except Exception:  # a stranger's code may raise anything
                pass
            self.failures += 1
        return self._fall_back(view, infeasible)

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        """What is to be done from `view.start_step` on. Raises InfeasiblePlan where nothing can be."""
        if revises(self._policy) and self.failures < _FAILURES:
            try:
                return check_revision(view, current, self._policy.revise(view, current, occasion))
            except Exception:  # as above; a plan that cannot go on is replaced by a fallback's
                self.failures += 1
        broken = illegal(view, current)
        return Revision(self._fall_back(view, None), broken) if broken else Revision(None, "the plan is kept")

    def observe(self, measurement: Measurement) -> None:
        """Tells a policy that learns what happened."""
        if self._learner is not None:
            try:
                self._learner.observe(measurement)
            except Exception:
                self.failures += 1

    def load(self, state: State | None) -> None:
        """Gives a policy that learns what it knew after an earlier job; what it cannot read it does without."""
        if self._learner is not None and state is not None:
            try:
                self._learner.load_state_dict(state)
            except Exception:
                self.failures += 1

    def state(self) -> State | None:
        """What a policy that learns wants to keep."""
        return None if self._learner is None else self._learner.state_dict()

    def _fall_back(self, view: PlanView, infeasible: InfeasiblePlan | None) -> Plan:
        for policy in fallbacks():
            try:
                return check_plan(view, policy.plan(view))
            except InfeasiblePlan as error:
                raise infeasible or error from None
            except Exception:
                continue
        raise InfeasiblePlan("No policy found a plan.")
