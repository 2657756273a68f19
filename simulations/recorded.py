"""A real run as plain values, as its log tells it: what is run again in virtual time, and what models are fitted to.

Moments are seconds since the job was accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.topology import Ends, NodeId, Tier
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.planner.policy import Objective
from simulations.looks import Look


@dataclass(frozen=True)
class RecordedNode:
    """A node as plans knew it: by stage what a step costs it by its profile."""

    id: NodeId
    tier: Tier
    memory_bytes: int | None
    price_per_s: float
    costs: Mapping[str, StageCost]


@dataclass(frozen=True)
class RecordedLink:
    """What was believed of a link at a moment; where nothing was `known` of it, the prior."""

    ends: Ends
    bits_per_s: float
    rtt_s: float
    known: bool
    age_s: float
    relayed: bool
    at_s: float


@dataclass(frozen=True)
class RecordedSample:
    """So many bytes came within so many seconds without a pause, the last of them at `at_s`."""

    ends: Ends
    bytes: int
    seconds: float
    at_s: float


@dataclass(frozen=True)
class RecordedTrip:
    """A byte went to a node and came back."""

    node: NodeId
    seconds: float
    at_s: float


@dataclass(frozen=True)
class RecordedStep:
    """One step; `entering` says that its node had not computed the one before."""

    node: NodeId
    stage: str
    step: int
    start_s: float
    seconds: float
    entering: bool


@dataclass(frozen=True)
class RecordedHop:
    """A state went from one node to another before a step."""

    ends: Ends
    step: int
    codec: str
    wire_bytes: int
    start_s: float
    seconds: float
    encode_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True)
class RecordedLoss:
    """The job went on without a node, until it might be used again (infinity: to its end)."""

    node: NodeId
    at_s: float
    until_s: float


@dataclass(frozen=True)
class RecordedRun:
    """One job that ended well. `began_s` counts on the wall clock, `planned_s` is when it had its first plan."""

    name: str
    request: Request
    objective: Objective
    deadline_s: float
    policy: str
    began_s: float
    planned_s: float
    wall_s: float
    nodes: tuple[RecordedNode, ...]
    links: tuple[RecordedLink, ...]
    samples: tuple[RecordedSample, ...]
    trips: tuple[RecordedTrip, ...]
    steps: tuple[RecordedStep, ...]
    hops: tuple[RecordedHop, ...]
    losses: tuple[RecordedLoss, ...] = ()
    looks: Mapping[NodeId, tuple[Look, ...]] = field(default_factory=dict)
    resident: Mapping[NodeId, tuple[str, ...]] = field(default_factory=dict)
    plans: int = 1

    @cached_property
    def workload(self) -> Workload:
        """What was computed."""
        return unroll(self.request)

    @property
    def device(self) -> RecordedNode:
        """Where the job came from."""
        return next(node for node in self.nodes if node.tier is Tier.DEVICE)

    def clock_ratio(self, node: NodeId, at_s: float) -> float:
        """Of a node at a moment, as it told; 1 where it did not."""
        ratio = 1.0
        for moment, readings in self.looks.get(node, ()):
            if moment > at_s:
                break
            ratio = readings.get("clock_ratio", ratio)
        return max(0.01, ratio)
