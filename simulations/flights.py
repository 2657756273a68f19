"""The segment that runs, as the device sees it: who computes it, how far it is, and how it is asked to end sooner."""

from dataclasses import dataclass, field

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId
from eapg_split.planner.policy import Transfer
from simulations.links import Flow


@dataclass
class Sending:
    """A state on its way through a flow, and what of it has been counted as seen."""

    source: NodeId
    target: NodeId
    flow: Flow
    size_bytes: int
    parts: int
    began_s: float
    seen_bits: float = 0.0
    seen_s: float = 0.0

    def transfer(self, now_s: float) -> Transfer:
        """What a policy is told of it."""
        dark = self.flow.dark_since_s
        left = self.flow.left_at(now_s) / 8
        return Transfer(self.source, self.target, int(left), 0.0 if dark is None else now_s - dark)


@dataclass
class Flight:
    """One segment and, where its state is handed on past the device, the `chain` until it comes home.

    `reached` is the first step that is not finished, as far as the device knows; `recall` the step at which it is to
    end sooner, as the device wants it and, later, as the node knows it.
    """

    plan: Plan
    chain: tuple[Segment, ...]
    attempt: int
    unavailable: frozenset[NodeId]
    own: bool
    reached: int = field(init=False)
    recall: int | None = None
    known_recall: int | None = None
    sending: Sending | None = None  # from the device to the first node
    flows: list[Flow] = field(default_factory=list)  # all that are on their way for it
    open: bool = True

    def __post_init__(self) -> None:
        self.reached = self.segment.start_step

    @property
    def segment(self) -> Segment:
        return self.chain[0]

    @property
    def stop_step(self) -> int:
        """Where the state comes home if nobody recalls it."""
        return self.chain[-1].stop_step

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        return tuple(part.node for part in self.chain)

    def node_at(self, step: int) -> NodeId:
        """Who computes a step of it."""
        return next(part.node for part in self.chain if step < part.stop_step)

    def next_boundary(self, *, at_boundary: bool) -> int:
        """Where it can end at the earliest: while its state is on its way there, before its first step."""
        if self.sending is not None:
            return self.segment.start_step
        return min(self.reached + (0 if at_boundary else 1), self.stop_step)

    def parts_at(self, plan: Plan, step: int) -> int:
        """Where a new plan that begins at `step` leaves its nodes; its end where it does not."""
        stop = step
        while stop < self.stop_step and plan.segment_at(stop).node == self.node_at(stop):
            stop += 1
        return stop
