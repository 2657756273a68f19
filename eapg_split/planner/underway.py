"""The segment that runs, as the device sees it: who computes it, how far it is, and where it can end sooner."""

from dataclasses import dataclass, field

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId


@dataclass
class Underway:
    """One segment of a plan and, where its state is handed on past the device, the `chain` until it comes home.

    `unavailable` are the nodes that the plan does without; `own` says that the device itself computes.
    """

    plan: Plan
    chain: tuple[Segment, ...]
    unavailable: frozenset[NodeId]
    own: bool
    reached: int = field(init=False)  # the first step that is not finished, as far as the device knows

    def __post_init__(self) -> None:
        self.reached = self.segment.start_step

    @property
    def segment(self) -> Segment:
        """The one that was ordered."""
        return self.chain[0]

    @property
    def stop_step(self) -> int:
        """Where the state comes home if nobody recalls it."""
        return self.chain[-1].stop_step

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """Who computes, in order."""
        return tuple(part.node for part in self.chain)

    def node_at(self, step: int) -> NodeId:
        """Who computes a step of it."""
        return next(part.node for part in self.chain if step < part.stop_step)

    def next_boundary(self, *, moving: bool, at_boundary: bool) -> int:
        """Where it can end at the earliest: while its state is on its way there (`moving`), before its first step.

        `at_boundary` says that its node waits before the next step.
        """
        if moving:
            return self.segment.start_step
        return min(self.reached + (0 if at_boundary else 1), self.stop_step)

    def holder_at(self, step: int, *, moving: bool) -> NodeId | None:
        """Who has the state at a boundary of it; None stands for the device."""
        there = not moving and not self.own and self.segment.start_step < step < self.stop_step
        return self.node_at(step - 1) if there else None

    def leaves_at(self, plan: Plan, step: int) -> int:
        """Where a new plan that begins at `step` leaves its nodes; its end where it does not."""
        while step < self.stop_step and plan.segment_at(step).node == self.node_at(step):
            step += 1
        return step
