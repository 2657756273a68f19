"""Codecs whose slices stand alone: each part is a function of its slice, and the other way round."""

import math
from collections.abc import Callable, Iterator
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import EXACT_TENSORS, TIME_AXIS, Codec, Floats, Part, Slice, frames_of, slices_of
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload, EngineFailure

Doubles = NDArray[np.float64]

_LEAST_RANGE, _MOST_VALUE = 1e-30, 1e37  # beyond, float32 arithmetic on steps would underflow or overflow
_GREATEST: Final = float(np.finfo(np.float32).max)
_LEAST_ROW: Final = 64  # elements: a scale for fewer would cost more than it saves


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


def slice_view(latent: Latent, wanted: Slice) -> Floats:
    """The slice's elements where they are: no copy, so not C-contiguous."""
    array = latent[wanted.tensor.name]
    return array if array.ndim <= TIME_AXIS else array[:, :, wanted.start : wanted.stop]


def is_exact(wanted: Slice) -> bool:
    """Whether a lossy codec must keep this slice to the bit."""
    return wanted.tensor.name in EXACT_TENSORS


def channel_rows(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(batch, channels, the rest) of a slice: axis 1 is the channels where each has enough to need a scale."""
    size = math.prod(shape)
    if len(shape) < 2 or size < _LEAST_ROW * shape[1]:
        return 1, 1, size
    return shape[0], shape[1], math.prod(shape[2:])


def arithmetic(low: Doubles, high: Doubles) -> type[np.float32] | type[np.float64]:
    """What to compute in: float32, or float64 (slower) where a channel's lowest and highest value ask for it."""
    ranges = (high - low)[high > low]
    usual = low.min() > -_MOST_VALUE and high.max() < _MOST_VALUE and (ranges >= _LEAST_RANGE).all()
    return np.float32 if usual else np.float64


def check_finite(wanted: Slice, low: Floats | np.float32, high: Floats | np.float32) -> None:
    """Raise EngineFailure unless the lowest and highest values, of the slice or its channels, are numbers."""
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise EngineFailure(
            f"Tensor {wanted.tensor.name} holds values that are not finite numbers: nothing to send."
        )


def check_scales(wanted: Slice, low: Doubles, high: Doubles) -> None:
    """Raise CorruptPayload unless float32 holds what a part says its channels reach from and to."""
    most = _GREATEST * (1 + 1e-7)  # what is computed from the greatest float32 may be rounded upwards
    with np.errstate(invalid="ignore"):
        usable = (np.abs(low) <= most).all() and (np.abs(high) <= most).all() and (low <= high).all()
    if not usable:
        raise CorruptPayload(
            f"The scales of tensor {wanted.tensor.name} are not usable numbers: send it again."
        )


def check_length(body: bytes | memoryview, expected: int) -> None:
    """Raise CorruptPayload unless the part has the length that follows from its slice."""
    if len(body) != expected:
        raise CorruptPayload(f"A part holds {len(body)} bytes where {expected} belong: send it again.")


def as_float32(values: Floats | Doubles) -> Floats:
    """The values in float32: none becomes infinite by rounding."""
    if values.dtype == np.float32:
        return values.astype(np.float32, copy=False)
    bounded: Floats = np.clip(values, -_GREATEST, _GREATEST).astype(np.float32)
    return bounded
