"""The two ways of one segment's states, as a job tells them."""

import asyncio

from eapg_split.domain.topology import NodeId
from eapg_split.runtime.events import (
    Accepted,
    CheckpointCame,
    CheckpointKept,
    Goodput,
    Hop,
    JobEvent,
    Passage,
    Returning,
    SegmentEvent,
)
from eapg_split.runtime.handoff import Declaration, Outgoing
from eapg_split.runtime.peer import SegmentDone


class Passages:
    """Made when a state begins to leave for another node."""

    def __init__(self, ends: tuple[NodeId, NodeId], step: int, codec: str, outgoing: Outgoing) -> None:
        """`ends` are this node and the other one; the state before `step` leaves by `codec`."""
        self._loop = asyncio.get_running_loop()
        self._ends = ends
        self._step = step
        self._codec = codec
        self._outgoing = outgoing
        self._coded_before_s = outgoing.encode_s
        self._began = self._returning = self._loop.time()

    def noted(self, event: SegmentEvent) -> JobEvent | SegmentEvent:
        """The event, or what it says in a job's terms."""
        own, node = self._ends
        match event:
            case Accepted(decode_s):
                encode_s = self._outgoing.encode_s - self._coded_before_s
                return Hop(
                    source=own,
                    target=node,
                    step=self._step,
                    codec=self._codec,
                    raw_bytes=self._outgoing.declaration.raw_bytes,
                    wire_bytes=self._outgoing.body_bytes,
                    seconds=self._loop.time() - self._began,
                    start_s=self._began,
                    encode_s=encode_s,
                    decode_s=decode_s,
                    sent=_names(self._outgoing.declaration),
                )
            case Returning():
                self._returning = self._loop.time()
            case CheckpointCame(step, declaration, encodings, seconds):
                return CheckpointKept(
                    node=node,
                    step=step,
                    codec=next((item.codec for item in declaration.coded), self._codec),
                    raw_bytes=declaration.raw_bytes,
                    wire_bytes=sum(encoding.body_bytes for encoding in encodings.values()),
                    seconds=seconds,
                    at_s=self._loop.time(),
                )
            case Passage(outbound, size, seconds, moment_s):
                source, target = (own, node) if outbound else (node, own)
                return Goodput(source, target, size, seconds, moment_s)
        return event

    def home(self, done: SegmentDone, codec: str) -> Hop:
        """The way back, which ends with its last part; previews may follow it."""
        own, node = self._ends
        return Hop(
            source=node,
            target=own,
            step=done.stop_step,
            codec=codec,
            raw_bytes=done.declaration.raw_bytes,
            wire_bytes=done.body_bytes,
            seconds=max(done.arrived_s, self._returning) - self._returning,
            start_s=self._returning,
            encode_s=done.encode_s,
            decode_s=done.decode_s,
            sent=_names(done.declaration),
        )


def _names(declaration: Declaration) -> tuple[str, ...]:
    return tuple(item.tensor.name for item in declaration.coded)
