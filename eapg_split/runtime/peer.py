"""Another node as seen from here: the seam between the coordinator and whatever carries its calls."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from eapg_split.codecs.base import Payload
from eapg_split.domain.request import Request
from eapg_split.domain.topology import Node
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import SegmentEvent
from eapg_split.runtime.settings import Limits

PROTOCOL_VERSION = 1


@dataclass(frozen=True)
class NodeDescription:
    """What a node says of itself. `fingerprint` identifies its weights."""

    node: Node
    version: str
    fingerprint: str
    pid: int
    rss_bytes: int
    peak_rss_bytes: int
    running_sessions: int = 0
    protocol: int = PROTOCOL_VERSION
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class SegmentOrder:
    """Run steps [start_step, stop_step) of `request` with the weights of `fingerprint`.

    The hand-off is idempotent by (session, start_step, stop_step): a node that still has the result of the same input
    answers with it; a newer attempt replaces one that is running; an older one is refused.
    """

    session: str
    request: Request
    start_step: int
    stop_step: int
    fingerprint: str
    attempt: int = 1
    result_codec: str = "lossless"
    previews: bool = False
    deadline: Deadline = field(default_factory=Deadline)


@dataclass(frozen=True)
class SegmentDone:
    """The state after a segment, coded, and what it cost the node."""

    payload: Payload
    compute_s: float
    peak_rss_bytes: int


Emit = Callable[[SegmentEvent], Awaitable[None]]


class Peer(Protocol):
    """One remote node. Every call raises NodeUnavailable when it cannot be reached."""

    @property
    def name(self) -> str:
        """What to call it in messages while it has not said its id."""

    async def describe(self) -> NodeDescription:
        """Asks the node who it is and what it can do."""

    async def prepare(self, order: SegmentOrder) -> None:
        """Lets the node load the weights of a segment that it will get."""

    async def run(self, order: SegmentOrder, payload: Payload, emit: Emit) -> SegmentDone:
        """Hands a segment over; `emit` gets Accepted once, then steps and previews as they come.

        When this is cancelled the node stops at its next step boundary and keeps nothing of the session.
        """

    async def close(self) -> None:
        """Releases the connection."""
