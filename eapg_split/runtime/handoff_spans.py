"""The spans of hand-offs: when a state was coded, crossed and was decoded, as this node saw it."""

import time
from collections.abc import Callable
from dataclasses import replace

from eapg_split.runtime.events import CheckpointCame, Hop
from eapg_split.runtime.handoff import Declaration, Interval, Outgoing
from eapg_split.runtime.instruments import Instruments, Kind, Span
from eapg_split.runtime.reception import Reception


class HandoffSpans:
    """Of one segment. `stage_of` names the stage of a step, or is empty where that is not known."""

    def __init__(self, instruments: Instruments, session: str, stage_of: Callable[[int], str]) -> None:
        self._instruments = instruments
        self._session = session
        self._stage_of = stage_of

    def gone(self, hop: Hop, outgoing: Outgoing) -> None:
        """A state that this node sent is committed where it went; the hop's start is on the loop's clock."""
        wire = self._crossed(hop)
        self._past(replace(wire, kind=Kind.ENCODE), outgoing.coded_within(hop.start_s))

    def come(self, hop: Hop, decoding: Interval | None) -> None:
        """A result that this node waited for is here."""
        wire = self._crossed(hop)
        self._past(replace(wire, kind=Kind.DECODE), decoding)

    def saved(self, came: CheckpointCame, source: str, target: str) -> None:
        """A state came home while its segment goes on."""
        codec = next((each.codec for each in came.encodings.values()), "")
        size_bytes = sum(each.body_bytes for each in came.encodings.values())
        ends, now_s = (source, target), time.monotonic()
        stage = self._stage_of(came.step)
        span = Span(Kind.CHECKPOINT, self._session, came.step, -1, stage, *ends, codec, size_bytes)
        self._past(span, (now_s - came.seconds, now_s))

    def encoded(self, step: int, outgoing: Outgoing, since_s: float) -> None:
        """A result was sent to whoever asked for the segment: they see how it crossed."""
        span = self._span(Kind.ENCODE, step, outgoing.declaration, outgoing.body_bytes)
        self._past(span, outgoing.coded_within(since_s))

    def decoded(self, step: int, reception: Reception) -> None:
        """The state that a segment begins with has come from whoever asks for it."""
        span = self._span(Kind.DECODE, step, reception.declaration, reception.body_bytes)
        self._past(span, reception.decoding)

    def _crossed(self, hop: Hop) -> Span:
        ends, stage = (hop.source, hop.target), self._stage_of(hop.step)
        span = Span(Kind.WIRE, self._session, hop.step, -1, stage, *ends, hop.codec, hop.wire_bytes)
        self._past(span, (hop.start_s, hop.start_s + hop.seconds))
        return span

    def _span(self, kind: Kind, step: int, declaration: Declaration, size_bytes: int) -> Span:
        codec = declaration.coded[0].codec if declaration.coded else ""
        stage = self._stage_of(step)
        return Span(kind, self._session, step, stage=stage, codec=codec, bytes=size_bytes)

    def _past(self, span: Span, when: Interval | None) -> None:
        """Nothing where nothing was coded or decoded: a tensor that is only named, or was coded before."""
        if when is not None:
            self._instruments.past(span, *when)
