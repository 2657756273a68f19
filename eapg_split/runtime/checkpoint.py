"""The state at the last committed boundary, kept so that a lost node costs one segment."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from eapg_split.codecs.base import DEFAULT_FIDELITY, EXACT_TENSORS, Codec, Fidelity, Floats, latent_of
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.latent import Latent, LatentSpec, TensorSpec
from eapg_split.runtime.handoff import Coded, Encoding, HeldThere, Item, Outgoing
from eapg_split.runtime.held import digest_of

Codecs = Mapping[str, Codec]


class KeptTensor:
    """Numbers, or the parts that stand for them, or both: each made from the other at most once, off the event loop.

    Compared by the numbers' identity: whoever has received this one has the very same.
    """

    def __init__(
        self, tensor: TensorSpec, *, array: Floats | None = None, coded: Encoding | None = None
    ) -> None:
        """At least one of them; where both are given `array` is what `coded` decodes to."""
        self.tensor = tensor
        self._array = array
        self._coded = coded
        self._departures: dict[str, tuple[Encoding, KeptTensor]] = {}
        self._digest = ""
        self._numbers = object()  # stands for them whatever they are called

    def is_coded_by(self, codec: str) -> bool:
        """Whether it came through that codec, and so goes on as it came."""
        return self._coded is not None and self._coded.codec == codec

    def is_of(self, array: Floats) -> bool:
        """Whether these are its numbers, the same object."""
        return self._array is array

    def called(self, tensor: TensorSpec) -> "KeptTensor":
        """The same numbers under another name."""
        if tensor == self.tensor:
            return self
        other = KeptTensor(tensor, array=self._array, coded=self._coded)
        other._numbers = self._numbers
        return other

    def is_same_as(self, other: "KeptTensor") -> bool:
        """Whether the numbers are the very same, under whatever name."""
        return self._numbers is other._numbers

    async def array(self, codecs: Codecs) -> Floats:
        """The numbers. Raises CorruptPayload."""
        if self._array is None:
            assert self._coded is not None
            payload = self._coded.payload
            latent = await asyncio.to_thread(latent_of, codecs[payload.codec], payload)
            (self._array,) = latent.values()
        return self._array

    async def digest(self, codecs: Codecs) -> str:
        """Names the numbers to a node that has them."""
        if not self._digest:
            self._digest = await asyncio.to_thread(digest_of, await self.array(codecs))
        return self._digest

    async def as_it_is(self, codecs: Codecs) -> Encoding:
        """The parts that it came or went as, or exact ones."""
        if self._coded is not None:
            return self._coded
        return (await self.through(codecs["lossless"], codecs, DEFAULT_FIDELITY))[0]

    async def through(
        self, codec: Codec, codecs: Codecs, fidelity: Fidelity
    ) -> tuple["Encoding", "KeptTensor"]:
        """How it leaves by a codec, and what the receiver then has: this very tensor, unless the codec loses."""
        if self._coded is not None and self._coded.codec == codec.name:
            return self._coded, self
        if codec.name not in self._departures:
            encoding = Encoding.of(codec, self.tensor.name, await self.array(codecs), fidelity)
            arrived = self if codec.lossless else KeptTensor(self.tensor, coded=encoding)
            self._departures[codec.name] = encoding, arrived
        return self._departures[codec.name]


@dataclass(frozen=True)
class Departure:
    """A checkpoint on its way out, what the receiver then has, and the share of the error budget that it uses."""

    outgoing: Outgoing
    arrives: Mapping[str, KeptTensor]
    share: float


class Checkpoint:
    """Tensors before `step`, and what is left of the error budget for what comes after.

    A tensor that came from one node goes to the next as it is, so a lossy codec costs its loss once per cut.
    """

    def __init__(
        self, step: int, codecs: Codecs, tensors: Mapping[str, KeptTensor], budget: ErrorBudget | None = None
    ) -> None:
        self.step = step
        self.tensors = dict(sorted(tensors.items()))
        self.budget = budget or ErrorBudget()
        self._codecs = codecs
        self._departures: dict[tuple[str, frozenset[str]], Departure] = {}

    @property
    def spec(self) -> LatentSpec:
        """The shape of the state."""
        return LatentSpec(tuple(kept.tensor for kept in self.tensors.values()))

    async def latent(self) -> Latent:
        """The state decoded. Raises CorruptPayload."""
        return Latent({name: await kept.array(self._codecs) for name, kept in self.tensors.items()})

    def followed_by(self, step: int, state: Latent) -> "Checkpoint":
        """What was computed here from this one; a tensor that went through untouched stays the same, renamed or not."""
        tensors = {}
        for spec in state.spec.tensors:
            array = state[spec.name]
            same = (kept.called(spec) for kept in self.tensors.values() if kept.is_of(array))
            tensors[spec.name] = next(same, None) or KeptTensor(spec, array=array)
        return Checkpoint(step, self._codecs, tensors, self.budget)

    async def departure(
        self,
        codec: Codec,
        held: Collection[KeptTensor],
        *,
        fidelity: Callable[[], Awaitable[tuple[Fidelity, float]]],
    ) -> Departure:
        """The state for a node that holds `held`; the same parts each time, so that it can go on where it broke off.

        `fidelity` gives what the codec may lose, and the share of the error budget which that is.
        """
        named = frozenset(
            name for name, kept in self.tensors.items() if any(kept.is_same_as(each) for each in held)
        )
        if (codec.name, named) not in self._departures:
            self._departures[codec.name, named] = await self._depart(codec, named, fidelity)
        return self._departures[codec.name, named]

    async def _depart(
        self, codec: Codec, named: frozenset[str], fidelity: Callable[[], Awaitable[tuple[Fidelity, float]]]
    ) -> Departure:
        loses = any(
            name not in named and name not in EXACT_TENSORS and not kept.is_coded_by(codec.name)
            for name, kept in self.tensors.items()
        )
        permitted, share = await fidelity() if loses else (DEFAULT_FIDELITY, 0.0)
        items: list[Item] = []
        encodings: list[Encoding] = []
        arrives: dict[str, KeptTensor] = {}
        for name, kept in self.tensors.items():
            if name in named:
                items.append(HeldThere(kept.tensor, await kept.digest(self._codecs)))
                arrives[name] = kept
                continue
            encoding, arrives[name] = await kept.through(codec, self._codecs, permitted)
            items.append(Coded(kept.tensor, encoding.codec))
            encodings.append(encoding)
        return Departure(Outgoing(items, encodings), arrives, share)
