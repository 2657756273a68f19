"""The segment that runs, as the device sees it: who computes it, how far it is, and how it is asked to end sooner."""

from dataclasses import dataclass, field
from typing import Protocol

from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import EapgError
from eapg_split.planner.estimates import CodecEstimate
from eapg_split.planner.policy import Transfer
from eapg_split.planner.underway import Underway
from simulations.homecoming import Homecoming
from simulations.links import Flow
from simulations.outcomes import Outcome
from simulations.sites import Site
from simulations.world import World


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
class Flight(Underway):
    """What runs, as the device sees it and as it really is.

    `recall` is the step at which it is to end sooner, as the device wants it and, later, as the node knows it.
    """

    attempt: int
    recall: int | None = None
    known_recall: int | None = None
    sending: Sending | None = None  # from the device to the first node
    flows: list[Flow] = field(default_factory=list)  # all that are on their way for it
    homecoming: Homecoming | None = None  # of the states of the node that computes now
    saved: int = 0  # the step before which a state has come home since it began, 0 for none
    open: bool = True

    def transfer(self, now_s: float) -> Transfer | None:
        """The state that is on its way to its first node, if it is."""
        return None if self.sending is None else self.sending.transfer(now_s)


class Owner(Protocol):
    """The job that a flight belongs to."""

    world: World
    site: Site
    workload: Workload
    codecs: tuple[CodecEstimate, ...]
    number: int
    outcome: Outcome

    def stepped(self, flight: Flight, step: int, node: NodeId, seconds: float, *, entered: bool) -> None:
        """The device learns that a step is done."""
        ...

    def moved(self, source: NodeId, target: NodeId, size_bytes: int, seconds: float) -> None:
        """The device learns what a state took on its way."""
        ...

    def ended(self, flight: Flight, reached: int) -> None:
        """The state before a step has come home."""
        ...

    def failed(self, flight: Flight, error: EapgError) -> None:
        """The flight is lost."""
        ...
