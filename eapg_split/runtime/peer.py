"""Another node as seen from here: the seam between the coordinator and whatever carries its calls."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from eapg_split.domain.profile import Profile
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import LinkSight, Telemetry
from eapg_split.domain.topology import Node, NodeId
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import SegmentEvent
from eapg_split.runtime.handoff import Declaration, Interval, Outgoing
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.reception import Received, Reception
from eapg_split.runtime.settings import Limits

PROTOCOL_VERSION = 4


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
    draining: bool = False  # it stops, and takes no more work
    protocol: int = PROTOCOL_VERSION
    limits: Limits = field(default_factory=Limits)
    profile: Profile | None = None  # what its steps cost, where it knows
    price_per_s: float = 0.0  # money for a second of computing
    reaches: tuple[LinkSight, ...] = ()  # the nodes to which it can hand a state on; a rate of 0 is unknown
    telemetry: Telemetry | None = None  # how it was then, unless it was asked to be brief


@dataclass(frozen=True)
class Onward:
    """Where a state goes after a segment, without coming home: to `node`, which computes up to `stop_step`.

    It goes there through `codec`; a lossy one is to leave `quality_db` of the final video, 0 leaves it to the codec.
    """

    node: NodeId
    stop_step: int
    codec: str = "lossless"
    quality_db: float = 0.0


@dataclass(frozen=True)
class SegmentOrder:
    """Run steps [start_step, stop_step) of `request` with the weights of `fingerprint`.

    Idempotent by the session, the steps and the id of the hand-off: a node that still has the result of the same input
    answers with it; a newer attempt replaces one that is running, and sends only the parts which that one did not
    bring; an older one is refused. A lossy `result_codec` is to leave `result_db` of the final video by itself.

    With `onward` the node hands its state on instead of returning it, and returns what comes back from there.
    `caller` is who asks, as the node that serves it knows them: nobody can say it of themselves.
    """

    session: str
    request: Request
    start_step: int
    stop_step: int
    fingerprint: str
    attempt: int = 1
    result_codec: str = "lossless"
    result_db: float = 0.0  # 0 leaves it to the codec
    result_link_bits_per_s: float = 0.0  # of the way back, 0 where nobody knows it
    checkpoints: Checkpoints = Checkpoints.NEVER
    previews: bool = False
    onward: tuple[Onward, ...] = ()
    deadline: Deadline = field(default_factory=Deadline)
    caller: str = ""  # empty for this node's own jobs


@dataclass(frozen=True)
class SegmentDone:
    """The state before `stop_step` as it arrived here, and what it cost the node.

    `stop_step` is before that of the order where the segment was handed back.
    """

    declaration: Declaration
    received: Received
    stop_step: int
    body_bytes: int
    compute_s: float
    peak_rss_bytes: int
    encode_s: float = 0.0
    decode_s: float = 0.0
    further_peaks: Mapping[str, int] = field(
        default_factory=dict
    )  # memory of the nodes that it was handed on to
    arrived_s: float = 0.0  # when its last part had come, on the loop's clock
    decoding: Interval | None = None

    @classmethod
    async def of(
        cls,
        reception: Reception,
        stop_step: int,
        *,
        compute_s: float,
        peak_rss_bytes: int,
        encode_s: float,
        further_peaks: Mapping[str, int] = MappingProxyType({}),
    ) -> "SegmentDone":
        """What has come. Raises CorruptPayload where it is not whole."""
        received = await reception.finish()
        return cls(
            reception.declaration,
            received,
            stop_step,
            reception.body_bytes,
            compute_s,
            peak_rss_bytes,
            encode_s,
            reception.seconds,
            further_peaks,
            reception.arrived_s,
            reception.decoding,
        )


Emit = Callable[[SegmentEvent], Awaitable[None]]


class Peer(Protocol):
    """One remote node. Every call raises NodeUnavailable when it cannot be reached."""

    @property
    def name(self) -> str:
        """What to call it in messages while it has not said its id."""

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        """Asks the node who it is and what it can do; with `brief` it asks no other node."""

    async def prepare(self, order: SegmentOrder) -> None:
        """Lets the node load the weights of a segment that it will get."""

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        """Hands a segment over; `emit` gets Accepted once, then steps and previews as they come.

        The node ends early where `recall` asks for it, or by itself: `SegmentDone.stop_step` says where.
        States come back while it runs as the order wishes, each as CheckpointCame once it is whole.
        Raises SessionNotFound where the node has lost a tensor that `state` only names.
        When this is cancelled the node stops at its next step boundary and keeps nothing of the session.
        """

    def telemetry(self, interval_s: float = 1.0) -> AsyncGenerator[Telemetry, None]:
        """The node's looks at itself, one at once and then one every interval, 0.1 to 60 s; `at_s` is their arrival.

        Absurd readings are unknown. Raises NodeUnavailable once the node falls silent or stops, Unsupported for a
        node that cannot tell. Whoever stops early closes the iterator.
        """

    async def close(self) -> None:
        """Releases the connection."""
