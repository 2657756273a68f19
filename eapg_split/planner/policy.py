"""What a policy is: a pure function from what is known to a plan."""

from dataclasses import dataclass, field
from typing import Protocol

from eapg_split.domain.plan import Plan, PlanRules
from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId, Topology
from eapg_split.domain.workload import Workload


@dataclass(frozen=True, slots=True)
class Objective:
    """What the person asked of the plan."""

    privacy: Privacy = Privacy.PROMPT_LOCAL
    codec: str = "lossless"


@dataclass(frozen=True, slots=True)
class PlanView:
    """All that a policy may see. `start_step` is where a re-plan resumes; 0 for a new job."""

    workload: Workload
    topology: Topology
    start_step: int = 0
    objective: Objective = field(default_factory=Objective)
    unavailable: frozenset[NodeId] = frozenset()

    @property
    def rules(self) -> PlanRules:
        return PlanRules(
            self.workload, self.topology, self.objective.privacy, self.start_step, self.unavailable
        )


class Policy(Protocol):
    """Makes plans; holds no state."""

    @property
    def name(self) -> str: ...

    def plan(self, view: PlanView) -> Plan:
        """A plan that obeys `view.rules`. Raises InfeasiblePlan when there is none."""
        ...
