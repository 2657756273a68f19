"""What a policy is: from what is known to a plan, and again while the job runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, TypeGuard, runtime_checkable

from eapg_split.domain.plan import Plan, PlanRules
from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId, Topology
from eapg_split.domain.workload import Workload
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.estimates import Estimates

API_VERSION: Final = 1
MAX_CUTS: Final = 64  # that anybody may allow a plan


class Goal(StrEnum):
    """What to make small. Balanced weighs the device's energy more the emptier its battery is."""

    LATENCY = "latency"
    ENERGY = "energy"
    COST = "cost"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Objective:
    """What the person asked of the plan: a goal, and limits that come before it."""

    privacy: Privacy = Privacy.PROMPT_LOCAL
    codec: str = "lossless"
    goal: Goal = Goal.BALANCED
    deadline_s: float = math.inf  # from now; kept with a probability of 95 %
    max_energy_j: float = math.inf  # of the device's battery
    max_money: float = math.inf
    max_entropy_bits: float = math.inf  # besides what each node allows itself
    max_cuts: int = 8
    max_temperature_c: float = math.inf  # of the device
    pins: Mapping[str, NodeId] = field(default_factory=lambda: MappingProxyType({}))  # stage to node
    memory_caps: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))  # bytes


@dataclass(frozen=True, slots=True)
class Transfer:
    """A state that is on its way while the plan is looked at; `stalled_s` is how long nothing has moved."""

    source: NodeId
    target: NodeId
    remaining_bytes: int
    stalled_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanView:
    """All that a policy may see.

    `start_step` is where a re-plan resumes, 0 for a new job, and `at` the node that has the state then (None: the
    device). `now_s` counts from the start of the job. `estimates` is None where nothing was measured.
    """

    workload: Workload
    topology: Topology
    start_step: int = 0
    objective: Objective = field(default_factory=Objective)
    unavailable: frozenset[NodeId] = frozenset()
    estimates: Estimates | None = None
    at: NodeId | None = None
    now_s: float = 0.0
    in_flight: Transfer | None = None

    @property
    def rules(self) -> PlanRules:
        return PlanRules(
            self.workload, self.topology, self.objective.privacy, self.start_step, self.unavailable
        )


class Trigger(StrEnum):
    """Why a plan is looked at again."""

    STEP = "step"  # a step was finished
    LINK = "link"  # a link carries more or less than the plan believed
    NODE = "node"  # a node went or came back
    HEAT = "heat"  # a node got hotter or cooler than a threshold
    BATTERY = "battery"
    QUEUE = "queue"  # a node will be ready sooner or later than it said
    DRIFT = "drift"  # steps take longer or shorter than the profile says
    STALL = "stall"  # a transfer does not get on


@dataclass(frozen=True, slots=True)
class Occasion:
    """One look at a running plan: what made us look, and a sentence for the log."""

    trigger: Trigger
    reason: str
    node: NodeId | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """What is to be done from `view.start_step` on, and why. `plan` None keeps what runs."""

    plan: Plan | None
    reason: str


class Refusal(InfeasiblePlan):
    """A policy would rather end the job than let another policy plan it: what the person chose is not there."""


@runtime_checkable
class Policy(Protocol):
    """Makes plans. One object serves one job at a time; what it learned goes from job to job by `LearningPolicy`."""

    @property
    def name(self) -> str: ...

    def plan(self, view: PlanView) -> Plan:
        """A plan that obeys `view.rules` and the limits of the objective.

        Raises InfeasiblePlan when it finds none: then another policy has a try; Refusal forbids that.
        """
        ...


@runtime_checkable
class RevisingPolicy(Policy, Protocol):
    """A policy that also wants to look again while the job runs."""

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        """Keep `current` or replace what is left of it, from `view.start_step` on."""
        ...


def revises(policy: Policy) -> TypeGuard[RevisingPolicy]:
    """Whether a policy wants to look again while a job runs."""
    return callable(getattr(policy, "revise", None))


def wants_estimates(policy: Policy) -> bool:
    """Whether nodes and links are to be watched for it; a policy says no by `uses_estimates = False`."""
    return revises(policy) or getattr(policy, "uses_estimates", True) is not False


@dataclass(frozen=True, slots=True)
class StepMeasured:
    """`step` took `seconds` of computing on `node`."""

    node: NodeId
    step: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TransferMeasured:
    """`bytes` of coded state went from one node to another within `seconds`."""

    source: NodeId
    target: NodeId
    bytes: int
    seconds: float


Measurement = StepMeasured | TransferMeasured

State = Mapping[str, object]  # what JSON can hold


@runtime_checkable
class LearningPolicy(Policy, Protocol):
    """A policy that is told what really happened, and keeps what it learned between jobs."""

    def observe(self, measurement: Measurement) -> None:
        """One step or transfer of the job that was planned last."""
        ...

    def state_dict(self) -> State:
        """Everything learned, as JSON can hold it, of at most 1 MB."""
        ...

    def load_state_dict(self, state: State) -> None:
        """Go on from there. Raises ValueError for a state that is not its own: it then starts anew."""
        ...
