"""What a codec is: latents to bytes and back in bounded parts, and priced without data."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent, LatentSpec, TensorSpec
from eapg_split.errors import CorruptPayload

Floats = NDArray[np.float32]

MAX_BODY_BYTES: Final = 2**31
PART_RAW_BYTES: Final = 2**18  # what one part aims to hold, before coding
TIME_AXIS: Final = 2
_LARGE: Final = 2**20  # numbers
EXACT_TENSORS: Final = ("text",)  # small, and read by networks that were trained on its exact values


def checksum_of(body: bytes | memoryview) -> str:
    """XXH3-128 in hex: against accidents, not against an adversary who can rewrite both."""
    return xxhash.xxh3_128_hexdigest(body)


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What a lossy codec may do to each tensor; one that is not named gets the codec's own default.

    `steps` are quantiser steps in the tensor's own units; `channels` multiply them channel by channel, for what matters
    less may be coarser (none: all alike). `bits` is what an element then costs on the wire, as measured when the
    weights were calibrated.
    """

    steps: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    channels: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    bits: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


DEFAULT_FIDELITY: Final = Fidelity()


@dataclass(frozen=True, slots=True)
class Slice:
    """Frames [start, stop) of a tensor's time axis, or the whole of a tensor that has none."""

    tensor: TensorSpec
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the slice."""
        full = self.tensor.shape
        if len(full) <= TIME_AXIS:
            return full
        return (*full[:TIME_AXIS], self.stop - self.start, *full[TIME_AXIS + 1 :])

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def slices_of(spec: LatentSpec) -> tuple[Slice, ...]:
    """How a latent is cut into parts, the same on both sides: few frames each, at least one."""
    slices = []
    for tensor in spec.tensors:
        frames, each = frames_of(tensor)
        slices += [Slice(tensor, start, min(start + each, frames)) for start in range(0, frames, each)]
    return tuple(slices)


def frames_of(tensor: TensorSpec) -> tuple[int, int]:
    """How many frames a tensor has, and how many of them a full slice."""
    frames = tensor.shape[TIME_AXIS] if len(tensor.shape) > TIME_AXIS else 1
    return frames, min(frames, max(1, PART_RAW_BYTES * frames // tensor.raw_bytes))


def slice_view(latent: Latent, wanted: Slice) -> Floats:
    """The slice's elements where they are: no copy, so not C-contiguous."""
    array = latent[wanted.tensor.name]
    return array if array.ndim <= TIME_AXIS else array[:, :, wanted.start : wanted.stop]


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of one slice, decoded after the parts before it."""

    body: bytes
    checksum: str

    @classmethod
    def of(cls, body: bytes) -> Self:
        """The part with its checksum."""
        return cls(body, checksum_of(body))

    def verify(self) -> None:
        """Raise CorruptPayload unless the bytes are those that were declared."""
        if checksum_of(self.body) != self.checksum:
            raise CorruptPayload("A part of the payload does not match its checksum: send it again.")


@dataclass(frozen=True, slots=True)
class Payload:
    """A whole coded latent: the spec of what it decodes to, the codec's name, and one part for each slice."""

    spec: LatentSpec
    codec: str
    parts: tuple[Part, ...]

    @property
    def body_bytes(self) -> int:
        """Bytes on the wire, without headers."""
        return sum(len(part.body) for part in self.parts)

    @property
    def checksum(self) -> str:
        """One checksum over the parts'."""
        return checksum_of("".join(part.checksum for part in self.parts).encode())


class Decoder(Protocol):
    """Takes the parts of one payload in their order. Not for two threads at a time."""

    def add(self, part: Part) -> None:
        """Verifies and decodes the next part. Raises CorruptPayload on anything wrong, before it allocates."""
        ...

    def finish(self) -> Latent:
        """The latent. Raises CorruptPayload while parts are missing."""
        ...


class Codec(Protocol):
    """One way to put a latent on the wire; instances hold no state and may be shared."""

    @property
    def name(self) -> str: ...

    @property
    def lossless(self) -> bool: ...

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        """One part for each of `slices_of(latent.spec)`, computed as they are asked for.

        A lossy codec raises EngineFailure on values that are not finite.
        """
        ...

    def decoder(self, spec: LatentSpec) -> Decoder:
        """What puts the parts together again; allocates as they come."""
        ...

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        """About how many bits `encode` will give for a latent of this spec."""
        ...


class Assembly:
    """Puts decoded slices together; memory is taken only by what really came, for none is written to before."""

    def __init__(self, spec: LatentSpec) -> None:
        self._slices = slices_of(spec)
        self._arrays: dict[str, Floats] = {}
        self._count = 0

    def wanted(self) -> Slice:
        """The slice that comes next. Raises CorruptPayload when all of them are here."""
        if self._count == len(self._slices):
            raise CorruptPayload("The payload has more parts than its latent: send it again.")
        return self._slices[self._count]

    def add(self, piece: Floats) -> None:
        """Takes the wanted slice's array. Raises CorruptPayload when its shape is another."""
        wanted = self.wanted()
        if piece.shape != wanted.shape:
            raise CorruptPayload("A part of the payload has another shape than its slice: send it again.")
        name, shape = wanted.tensor.name, wanted.tensor.shape
        if piece.shape == shape:
            self._arrays[name] = piece
        else:  # written to its place while the cache holds it
            if wanted.start == 0:
                self._arrays[name] = _room(shape)
            self._arrays[name][:, :, wanted.start : wanted.stop] = piece
        self._count += 1

    def finish(self) -> Latent:
        """The latent. Raises CorruptPayload while slices are missing."""
        if self._count < len(self._slices):
            raise CorruptPayload(
                f"The payload ended after {self._count} of {len(self._slices)} parts: send it again."
            )
        return Latent(self._arrays)


def _room(shape: tuple[int, ...]) -> Floats:
    """An array that is not written to yet: its first touch, page by page, takes as long as decoding 8 bits a number.

    For 4 MiB and more numpy asks the system for large pages, so somewhat smaller arrays are cut from as much.
    """
    size = math.prod(shape)
    return np.empty(max(size, _LARGE) if size >= _LARGE // 2 else size, np.float32)[:size].reshape(shape)


class SliceDecoder:
    """A Decoder for codecs whose slices stand alone."""

    def __init__(self, spec: LatentSpec, decode: Callable[[Slice, bytes], Floats]) -> None:
        """`decode` turns one slice's bytes into its array, or raises CorruptPayload."""
        self._assembly = Assembly(spec)
        self._decode = decode

    def add(self, part: Part) -> None:
        """Checks and decodes the next part."""
        part.verify()
        self._assembly.add(self._decode(self._assembly.wanted(), part.body))

    def finish(self) -> Latent:
        """The latent, once every part is here."""
        return self._assembly.finish()


def payload_of(codec: Codec, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Payload:
    """The whole latent coded at once."""
    return Payload(latent.spec, codec.name, tuple(codec.encode(latent, fidelity)))


def latent_of(codec: Codec, payload: Payload) -> Latent:
    """The whole payload decoded at once. Raises CorruptPayload on anything wrong."""
    if payload.codec != codec.name:
        raise CorruptPayload(f"The payload was made by codec {payload.codec[:32]!r}, not {codec.name!r}.")
    decoder = codec.decoder(payload.spec)
    for part in payload.parts:
        decoder.add(part)
    return decoder.finish()
