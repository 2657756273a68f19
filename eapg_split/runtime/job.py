"""One job as the device's daemon accepted it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eapg_split.domain.error_budget import DEFAULT_QUALITY_DB
from eapg_split.domain.request import Request
from eapg_split.domain.topology import Topology
from eapg_split.domain.workload import Workload
from eapg_split.errors import InvalidRequest
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.policy import Objective, Policy, revises, wants_estimates
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import CheckpointKept, Hop, JobEvent, PlacedSegment, StepDone
from eapg_split.runtime.policy_state import PolicyStates
from eapg_split.runtime.sink import VideoFormat


@dataclass(frozen=True)
class Job:
    """What one call of JobService.Generate asks for; `suffix` is the ending of the wanted file's name."""

    session: str
    request: Request
    policy: Policy
    codec: str
    suffix: str
    previews: bool = False
    observed: bool = False  # whether its owner wants to know what it sees of nodes and links
    checkpoints: Checkpoints = Checkpoints.AUTO
    quality_db: float = DEFAULT_QUALITY_DB
    deadline: Deadline = field(default_factory=Deadline)
    wishes: Objective = field(default_factory=Objective)  # its privacy, codec and deadline stand elsewhere
    policy_states: PolicyStates | None = None

    @property
    def objective(self) -> Objective:
        """What the policy is to mind from now on."""
        return replace(
            self.wishes,
            privacy=self.request.privacy,
            codec=self.codec,
            deadline_s=self.deadline.remaining(),
        )

    @property
    def revises(self) -> bool:
        """Whether the policy wants to look again while the job runs."""
        return revises(self.policy)

    @property
    def wants_estimates(self) -> bool:
        """Whether nodes and links are to be watched for it."""
        return wants_estimates(self.policy)

    @property
    def video(self) -> VideoFormat:
        """What the sink is to write."""
        request = self.request
        return VideoFormat(self.suffix, request.fps, request.width, request.height)


def check_wishes(wishes: Objective, workload: Workload, topology: Topology) -> None:
    """Raise InvalidRequest for a pin or a cap that names what is not there."""
    stages = [stage.name for stage in workload.stages]
    for stage in wishes.pins:
        if stage not in stages:
            raise InvalidRequest(f"There is no stage {stage!r} to pin: the stages are {', '.join(stages)}.")
    nodes = [node.id for node in topology.nodes]
    for node in (*wishes.pins.values(), *wishes.memory_caps):
        if node not in nodes:
            raise InvalidRequest(
                f"There is no node {node!r} to pin to or to cap: this job can use {', '.join(nodes)}."
            )


@dataclass
class JobRecord:
    """What really ran where, collected for the last event."""

    segments: list[PlacedSegment] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    peak_rss_bytes: dict[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    checkpoint_bytes: int = 0

    def restore(self, events: Sequence[JobEvent], step: int) -> None:
        """What an earlier daemon told of the job, as far as it is still true before `step`."""
        done = {event.step: event for event in events if isinstance(event, StepDone) and event.step < step}
        for each in sorted(done):
            self.add(PlacedSegment(done[each].node, done[each].tier, each, each + 1), 0)
        self.hops.extend(event for event in events if isinstance(event, Hop))
        came_home = [event for event in events if isinstance(event, CheckpointKept)]
        self.checkpoints += len(came_home)
        self.checkpoint_bytes += sum(event.wire_bytes for event in came_home)

    def add(self, segment: PlacedSegment, peak_rss_bytes: int) -> None:
        """A committed segment, joined with the one before where a re-plan stayed on the same node."""
        start = segment.start_step
        if self.segments and self.segments[-1].node == segment.node:
            start = self.segments.pop().start_step
        self.segments.append(PlacedSegment(segment.node, segment.tier, start, segment.stop_step))
        self.peak_rss_bytes[segment.node] = max(self.peak_rss_bytes.get(segment.node, 0), peak_rss_bytes)
