"""A state on its way to another node: what is said of it first, and its parts, each coded once and kept.

Every tensor is coded by itself, so that one which the receiver already has is named instead of sent, and one that came
from another node goes on as it came.
"""

import asyncio
import itertools
import math
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from eapg_split.codecs.base import Codec, Fidelity, Floats, Part, Payload, Slice, slices_of
from eapg_split.domain.latent import Latent, LatentSpec, TensorSpec
from eapg_split.errors import EngineFailure

WINDOW_PARTS: Final = 4  # coded ahead of what is being sent

Interval = tuple[float, float]
"""From when to when, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Coded:
    """The tensor follows in parts."""

    tensor: TensorSpec
    codec: str


@dataclass(frozen=True, slots=True)
class HeldThere:
    """The receiver has had the tensor in this session: `digest` is XXH3-128 of its float32 bytes, in hex."""

    tensor: TensorSpec
    digest: str


@dataclass(frozen=True, slots=True)
class SameAsInput:
    """The tensor of a result is the one called `input` of the state that the segment began with."""

    tensor: TensorSpec
    input: str


@dataclass(frozen=True, slots=True)
class SameAsBefore:
    """The tensor of a checkpoint is the one called `before` of the checkpoint that was sent before it."""

    tensor: TensorSpec
    before: str


Item = Coded | HeldThere | SameAsInput | SameAsBefore


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is said of a state before its first part; `id` names these parts and no others.

    Raises InvalidRequest where the tensors are beyond the bounds of a latent.
    """

    id: str
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        LatentSpec(tuple(item.tensor for item in self.items))

    @property
    def spec(self) -> LatentSpec:
        """The whole state."""
        return LatentSpec(tuple(item.tensor for item in self.items))

    @property
    def coded(self) -> tuple[Coded, ...]:
        """The tensors that travel."""
        return tuple(item for item in self.items if isinstance(item, Coded))

    @property
    def slices(self) -> tuple[Slice, ...]:
        """One for each part that follows."""
        return tuple(
            itertools.chain.from_iterable(slices_of(LatentSpec((item.tensor,))) for item in self.coded)
        )

    @property
    def raw_bytes(self) -> int:
        """Of the tensors that travel, decoded."""
        return sum(item.tensor.raw_bytes for item in self.coded)


@dataclass(frozen=True, slots=True)
class Ready:
    """A part that can go, and since when on the monotonic clock."""

    part: Part
    since_s: float

    def no_earlier(self, than_s: float) -> "Ready":
        """The same, for somebody who did not want it before."""
        return self if self.since_s >= than_s else Ready(self.part, than_s)


class Encoding:
    """One tensor's parts, coded one after the other at first need, off the event loop, and kept for another attempt.

    Drops the numbers once the last part is coded.
    """

    def __init__(self, payload: Payload, *, source: Iterator[Part] | None = None) -> None:
        """`payload` holds the parts that are there already, `source` gives the others."""
        (self.tensor,) = payload.spec.tensors
        self.codec = payload.codec
        self.count = len(slices_of(payload.spec))
        self.seconds = 0.0  # of processor time, spent on coding
        self._began_s = math.inf  # when the first part was that is coded here
        self._parts = list(payload.parts)
        self._since_s = [0.0] * len(self._parts)
        self._source = source
        self._coding: asyncio.Future[None] | None = None

    @classmethod
    def of(cls, codec: Codec, name: str, array: Floats, fidelity: Fidelity) -> "Encoding":
        """What the codec will make of an array."""
        latent = Latent({name: array})
        return cls(Payload(latent.spec, codec.name, ()), source=codec.encode(latent, fidelity))

    @property
    def payload(self) -> Payload:
        """The parts so far."""
        return Payload(LatentSpec((self.tensor,)), self.codec, tuple(self._parts))

    @property
    def body_bytes(self) -> int:
        """Coded so far."""
        return sum(len(part.body) for part in self._parts)

    @property
    def expected_bytes(self) -> int:
        """Of all parts, once they are coded: those to come are taken to be like those that are."""
        if not self._parts:
            return self.tensor.raw_bytes
        return self.body_bytes * self.count // len(self._parts)

    @property
    def held_bytes(self) -> int:
        """What this keeps in memory: the parts, and the numbers while there are parts to come."""
        whole = self._source is None or len(self._parts) == self.count
        return self.body_bytes + (0 if whole else self.tensor.raw_bytes)

    @property
    def coding(self) -> Interval | None:
        """When the parts were coded, so far; None where none was coded here."""
        return (self._began_s, self._since_s[-1]) if self.seconds and self._since_s else None

    async def part(self, index: int) -> Ready:
        """The part, coded if need be. When this is cancelled the part in work is finished and kept."""
        while index >= len(self._parts):
            if self._coding is None or self._coding.done():
                self._coding = asyncio.ensure_future(asyncio.to_thread(self._advance))
                self._coding.add_done_callback(_seen)
            await asyncio.shield(self._coding)
        return Ready(self._parts[index], self._since_s[index])

    def _advance(self) -> None:
        assert self._source is not None
        self._began_s = min(self._began_s, time.monotonic())
        began = time.thread_time()
        part = next(self._source, None)
        self.seconds += time.thread_time() - began
        if part is None:
            raise EngineFailure(
                f"The codec {self.codec} gave fewer parts than tensor {self.tensor.name} has."
            )
        self._since_s.append(time.monotonic())
        self._parts.append(part)
        if len(self._parts) == self.count:
            self._source = iter(())


def _seen(coding: "asyncio.Future[None]") -> None:
    """An error of coding is raised to whoever asked for the part, and there may be nobody any more."""
    if not coding.cancelled():
        coding.exception()


class Outgoing:
    """A declared state with the encodings of the tensors that travel; may be sent any number of times."""

    def __init__(self, items: Sequence[Item], encodings: Sequence[Encoding]) -> None:
        """`encodings` in the order of the items that are Coded."""
        self.declaration = Declaration(uuid.uuid4().hex, tuple(items))
        self._encodings = tuple(encodings)

    @property
    def count(self) -> int:
        """How many parts there are."""
        return sum(encoding.count for encoding in self._encodings)

    @property
    def body_bytes(self) -> int:
        """Coded so far."""
        return sum(encoding.body_bytes for encoding in self._encodings)

    @property
    def expected_bytes(self) -> int:
        """Coded, when all of it is."""
        return sum(encoding.expected_bytes for encoding in self._encodings)

    @property
    def held_bytes(self) -> int:
        """What this keeps in memory."""
        return sum(encoding.held_bytes for encoding in self._encodings)

    @property
    def encode_s(self) -> float:
        """Processor time of coding so far."""
        return math.fsum(encoding.seconds for encoding in self._encodings)

    def coded_within(self, since_s: float) -> Interval | None:
        """When the tensors were coded that were not ready at that moment; None where all were."""
        found = [coding for each in self._encodings if (coding := each.coding) and coding[1] > since_s]
        return (min(began for began, _ in found), max(ended for _, ended in found)) if found else None

    async def parts(self, first: int = 0) -> AsyncGenerator[Ready, None]:
        """The parts from `first` on, one by one; otherwise like `batches`."""
        async with aclosing(self.batches(first, most=1)) as batches:
            async for (ready,) in batches:
                yield ready

    async def batches(
        self, first: int = 0, *, most: int = WINDOW_PARTS
    ) -> AsyncGenerator[tuple[Ready, ...], None]:
        """The parts from `first` on: one, and then together what is coded by the time that more is wanted.

        At most WINDOW_PARTS of them are coded ahead of whoever takes them. What was coded before this began is ready
        since it began. Raises EngineFailure where the values cannot be coded. Close it (`aclosing`) when leaving
        early.
        """
        places = self._places(first)
        ahead: deque[asyncio.Task[Ready]] = deque()
        began, now_most = time.monotonic(), 1
        try:
            while True:
                _begin(ahead, places, WINDOW_PARTS + 1)
                if not ahead:
                    return
                await ahead[0]
                batch: list[Ready] = []
                while ahead and ahead[0].done() and len(batch) < now_most:
                    batch.append(ahead.popleft().result().no_earlier(began))
                _begin(ahead, places, WINDOW_PARTS)
                yield tuple(batch)
                now_most = most
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    def _places(self, first: int) -> Iterator[tuple[Encoding, int]]:
        places = ((encoding, index) for encoding in self._encodings for index in range(encoding.count))
        return itertools.islice(places, first, None)


def _begin(ahead: "deque[asyncio.Task[Ready]]", places: Iterator[tuple[Encoding, int]], count: int) -> None:
    """Lets further parts be coded until so many are, or are there."""
    for encoding, index in itertools.islice(places, max(0, count - len(ahead))):
        ahead.append(asyncio.create_task(encoding.part(index)))
