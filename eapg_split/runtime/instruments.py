"""What this node says of its work while it works, for whoever watches. The runtime knows nothing of who that is.

One trace is a tree of spans over all nodes of a job. What a span belongs to is kept in a context variable as W3C
`traceparent` text, so that it follows a task, and goes from node to node as it is.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
)
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from eapg_split.domain.telemetry import Telemetry

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
LOST: Final = "lost"
"""Why a plan was replaced whose segment failed; the other words are those of `planner.policy.Trigger`."""
_parent: ContextVar[str] = ContextVar("traceparent", default="")


class Kind(StrEnum):
    """What a span is of."""

    JOB = "job"  # on the device, from its acceptance to its last byte
    SEGMENT = "segment"  # as the node sees it that asks for it
    SERVE = "serve"  # as the node sees it that computes it for another
    STEP = "step"  # computing one, with its wait for the engine
    ENCODE = "encode"  # of a state that leaves: from its first part to its last
    WIRE = "wire"  # of a state, from its first part to where it is committed
    DECODE = "decode"  # of a state that comes: from its first part to its last
    CHECKPOINT = (
        "checkpoint"  # of a state that comes home while its segment goes on: from word of it to its last part
    )


@dataclass(frozen=True, slots=True)
class Span:
    """One timed piece of a job. What does not apply is empty, or -1."""

    kind: Kind
    session: str = ""
    step: int = -1  # the first one, or the one before which a state crosses
    stop_step: int = -1
    stage: str = ""
    source: str = ""  # of a state that crosses: its nodes
    target: str = ""  # or the node that computes a segment
    codec: str = ""
    bytes: int = 0  # coded


class Instruments(Protocol):
    """What the runtime calls. No call may raise, wait, or cost more than some microseconds; none gets a prompt."""

    def span(self, span: Span) -> AbstractContextManager[None]:
        """For as long as the block lasts. An error that leaves the block belongs to the span, and goes on."""

    def past(self, span: Span, began_s: float, ended_s: float) -> None:
        """A span that is over; its moments are of the monotonic clock, which is the loop's."""

    def replanned(self, trigger: str) -> None:
        """A running plan was replaced; why, by one of few words."""

    def refused(self, call: str, error: Exception) -> None:
        """A call from elsewhere, named by its method, ended with that error."""


class _Silent:
    """Nobody watches."""

    _nothing: AbstractContextManager[None] = nullcontext()

    def span(self, span: Span) -> AbstractContextManager[None]:
        del span
        return self._nothing

    def past(self, span: Span, began_s: float, ended_s: float) -> None:
        del span, began_s, ended_s

    def replanned(self, trigger: str) -> None:
        del trigger

    def refused(self, call: str, error: Exception) -> None:
        del call, error


SILENT: Final[Instruments] = _Silent()


class Several:
    """Tells each of its instruments, the last one first of an end."""

    def __init__(self, instruments: Sequence[Instruments]) -> None:
        self._instruments = tuple(instruments)

    @contextmanager
    def span(self, span: Span) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self._instruments:
                stack.enter_context(each.span(span))
            yield

    def past(self, span: Span, began_s: float, ended_s: float) -> None:
        for each in self._instruments:
            each.past(span, began_s, ended_s)

    def replanned(self, trigger: str) -> None:
        for each in self._instruments:
            each.replanned(trigger)

    def refused(self, call: str, error: Exception) -> None:
        for each in self._instruments:
            each.refused(call, error)


def traceparent() -> str:
    """What the spans of this task belong to, as W3C Trace Context writes it; empty where nobody traces."""
    return _parent.get()


@contextmanager
def belonging_to(parent: str) -> Iterator[None]:
    """Spans of the block belong to that one. What is no `traceparent` is as if there were none."""
    token = _parent.set(parent if _TRACEPARENT.fullmatch(parent) else "")
    try:
        yield
    finally:
        _parent.reset(token)


Look = Callable[[], Awaitable[Telemetry]]


class Observing(Protocol):
    """Who watches one daemon, from before its start to after its end."""

    @property
    def instruments(self) -> Instruments:
        """What the runtime is to call."""

    def serving(self, look: Look, waiting: Callable[[], int]) -> AbstractAsyncContextManager[str]:
        """Shows what is known for as long as the block lasts; yields where, HOST:PORT, empty where nowhere.

        `look` is the node's at itself, `waiting` says how many segments wait for their turn.
        Raises InvalidRequest for an address that cannot be used.
        """
