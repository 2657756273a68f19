"""Who computes which steps, and how the state crosses between them. An illegal plan cannot be constructed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId, Topology
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.errors import InfeasiblePlan


@dataclass(frozen=True, slots=True)
class Segment:
    """The half-open run of steps from start_step to stop_step on one node."""

    node: NodeId
    start_step: int
    stop_step: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The boundary before `step`, which the state crosses through `codec`."""

    step: int
    codec: str


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a plan must obey: every step from start_step on, these nodes, this privacy."""

    workload: Workload
    topology: Topology
    privacy: Privacy = Privacy.PROMPT_LOCAL
    start_step: int = 0
    unavailable: frozenset[NodeId] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """Segments in order without gaps, and one cut at every boundary between them.

    A plan that resumes from a checkpoint may also name a cut at its first step: the checkpoint's way out of
    the device. `notes` are sentences for people. Build plans with `checked`; the bare constructor checks only
    what can be seen without a workload. Raises InfeasiblePlan.
    """

    segments: tuple[Segment, ...]
    cuts: tuple[Cut, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.segments:
            raise InfeasiblePlan("A plan needs at least one segment.")
        position = self.start_step
        for segment in self.segments:
            if segment.start_step != position or segment.stop_step <= position or position < 0:
                raise InfeasiblePlan(f"The plan must go on at step {position}, every step once and in order.")
            position = segment.stop_step
        pairs = zip(self.segments, self.segments[1:], strict=False)
        boundaries = [later.start_step for earlier, later in pairs if earlier.node != later.node]
        if len(boundaries) != len(self.segments) - 1:
            raise InfeasiblePlan("Two neighbouring segments are on one node: join them.")
        named = [cut.step for cut in self.cuts]
        entry = [self.start_step] if self.start_step > 0 else []
        if named not in (boundaries, entry + boundaries):
            raise InfeasiblePlan(f"The plan needs one cut at each of the steps {boundaries}, not at {named}.")

    @classmethod
    def checked(
        cls, rules: PlanRules, segments: Iterable[Segment], cuts: Iterable[Cut], *, notes: Iterable[str] = ()
    ) -> Self:
        """A plan that obeys the rules. Raises InfeasiblePlan with the rule that is broken."""
        plan = cls(tuple(segments), tuple(cuts), tuple(notes))
        plan.check(rules)
        return plan

    @property
    def start_step(self) -> int:
        return self.segments[0].start_step

    @property
    def stop_step(self) -> int:
        return self.segments[-1].stop_step

    def segment_at(self, step: int) -> Segment:
        """The segment that holds a step. Raises InfeasiblePlan when none does."""
        for segment in self.segments:
            if segment.start_step <= step < segment.stop_step:
                return segment
        raise InfeasiblePlan(f"No segment of the plan holds step {step}.")

    def codec_at(self, step: int) -> str:
        """The codec through which the state crosses before a step (lossless where there is no cut)."""
        return next((cut.codec for cut in self.cuts if cut.step == step), "lossless")

    def check(self, rules: PlanRules) -> None:
        """Raise InfeasiblePlan unless the plan obeys the rules."""
        workload = rules.workload
        if (self.start_step, self.stop_step) != (rules.start_step, workload.steps):
            raise InfeasiblePlan(
                f"The plan covers steps {self.start_step} to {self.stop_step}; it must cover "
                f"{rules.start_step} to {workload.steps}."
            )
        known = {node.id for node in rules.topology.nodes}
        for segment in self.segments:
            if segment.node not in known:
                raise InfeasiblePlan(f"The plan uses {segment.node}, which is not among the known nodes.")
            if segment.node in rules.unavailable:
                raise InfeasiblePlan(f"The plan uses {segment.node}, which is unavailable.")
        self._check_stages(rules)
        self._check_codecs(rules)

    def _check_stages(self, rules: PlanRules) -> None:
        device = rules.topology.device.id
        for segment in self.segments:
            node = rules.topology.node(segment.node)
            for stage in rules.workload.stages:
                step = max(segment.start_step, stage.start_step)
                if step >= min(segment.stop_step, stage.stop_step):
                    continue
                if stage.kind is StageKind.DECODE and node.id != device:
                    raise InfeasiblePlan(f"The decode step must run on the device, not on {node.id}.")
                if stage.sees_text and rules.privacy is Privacy.PROMPT_LOCAL and node.id != device:
                    raise InfeasiblePlan(
                        f"Step {step} ({stage.name}) sees the text and may not run on {node.id}: keep it on "
                        "the device, or allow it with --privacy any."
                    )
                if node.memory_bytes is not None and stage.memory_bytes > node.memory_bytes:
                    raise InfeasiblePlan(
                        f"{stage.name} needs about {stage.memory_bytes / 1e6:.0f} MB and {node.id} may use "
                        f"{node.memory_bytes / 1e6:.0f} MB: ask for a smaller video or another node."
                    )

    def _check_codecs(self, rules: PlanRules) -> None:
        for cut in self.cuts:
            before = rules.topology.device.id
            if cut.step > self.start_step:
                before = self.segment_at(cut.step - 1).node
            for node_id in (before, self.segment_at(cut.step).node):
                if cut.codec not in rules.topology.node(node_id).codecs:
                    raise InfeasiblePlan(
                        f"Node {node_id} does not know the codec {cut.codec!r}: choose one that both know."
                    )
