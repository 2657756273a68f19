"""Codecs whose slices stand alone: each part is a function of its slice, and the other way round."""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import Codec, Floats, Part, Slice, frames_of, slice_view, slices_of
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload, EngineFailure

Doubles = NDArray[np.float64]


@runtime_checkable
class StandaloneCodec(Codec, Protocol):
    """A codec that can code any one slice without the others."""

    def encode_slice(self, wanted: Slice, values: Floats, head: bytes = b"") -> bytes:
        """`head` and the slice's bytes; `values` has the slice's shape and any strides."""
        ...

    def decode_slice(self, wanted: Slice, body: bytes | memoryview) -> Floats:
        """The slice's array. Raises CorruptPayload on anything wrong, before it allocates."""
        ...

    def steps_of(self, wanted: Slice, body: bytes | memoryview) -> Doubles:
        """The coarsest step of each channel in an encoded slice, or of all: no error is more than half of it."""
        ...


def encoded_slices(latent: Latent, encode: Callable[[Slice, Floats], bytes]) -> Iterator[Part]:
    """One part for each slice, computed when it is asked for."""
    for wanted in slices_of(latent.spec):
        yield Part.of(encode(wanted, slice_view(latent, wanted)))


def first_slices(spec: LatentSpec) -> Iterator[tuple[Slice, float]]:
    """The first slice of each tensor, and how many such slices the tensor has: all that a price needs."""
    for tensor in spec.tensors:
        frames, each = frames_of(tensor)
        yield Slice(tensor, 0, each), frames / each


def check_finite(wanted: Slice, low: Floats | np.float32, high: Floats | np.float32) -> None:
    """Raise EngineFailure unless the lowest and highest values, of the slice or its channels, are numbers."""
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise EngineFailure(
            f"Tensor {wanted.tensor.name} holds values that are not finite numbers: nothing to send."
        )


def check_length(body: bytes | memoryview, expected: int) -> None:
    """Raise CorruptPayload unless the part has the length that follows from its slice."""
    if len(body) != expected:
        raise CorruptPayload(f"A part holds {len(body)} bytes where {expected} belong: send it again.")
