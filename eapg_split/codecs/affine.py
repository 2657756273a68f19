"""What codecs of few bits a number share: whole levels between the lowest and highest value of a channel or group.

A slice's levels follow from the slice alone. The text stays exact, by the lossless codec.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import ClassVar, Final, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eapg_split.codecs.base import (
    DEFAULT_FIDELITY,
    EXACT_TENSORS,
    Fidelity,
    Floats,
    Part,
    Slice,
    SliceDecoder,
)
from eapg_split.codecs.lossless import ESTIMATED_BITS, LosslessCodec
from eapg_split.codecs.standalone import Doubles, check_length, encoded_slices, first_slices
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload

_LEAST_RANGE, _MOST_VALUE = 1e-30, 1e37  # beyond, float32 arithmetic on steps would underflow or overflow
_GREATEST: Final = float(np.finfo(np.float32).max)
_LEAST_ROW: Final = 64  # elements: a scale for fewer would cost more than it saves
_BUFFER: Final = 64  # numbers
_EXACT: Final = LosslessCodec()

_N = TypeVar("_N", np.uint8, np.float32, np.float64)


class AffineCodec(ABC):
    """All but the levels themselves: a subclass says how large a coded slice is, codes it and decodes it."""

    name: ClassVar[str]
    lossless = False

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        del fidelity  # the steps follow from the data
        return encoded_slices(latent, self.encode_slice)

    def decoder(self, spec: LatentSpec) -> SliceDecoder:
        return SliceDecoder(spec, self.decode_slice)

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        """Exact but for the text."""
        del fidelity
        return _estimate(self, spec)

    def encode_slice(self, wanted: Slice, values: Floats, head: bytes = b"") -> bytes:
        """Raises EngineFailure on values that are not finite."""
        if _is_exact(wanted):
            return _EXACT.encode_slice(wanted, values, head)
        with _unbuffered():
            return b"".join((head, *self._encoded(wanted, values)))

    def decode_slice(self, wanted: Slice, body: bytes | memoryview) -> Floats:
        """Raises CorruptPayload on another length, and on scales that are no numbers."""
        if _is_exact(wanted):
            return _EXACT.decode_slice(wanted, body)
        check_length(body, self.body_bytes(wanted))
        with _unbuffered():
            return self._decoded(wanted, body)

    def steps_of(self, wanted: Slice, body: bytes | memoryview) -> Doubles:
        """The coarsest step of each channel."""
        return np.zeros(1) if _is_exact(wanted) else self._steps(wanted, body)

    @abstractmethod
    def body_bytes(self, wanted: Slice) -> int:
        """The length of a coded slice that is not exact."""

    @abstractmethod
    def _encoded(self, wanted: Slice, values: Floats) -> Sequence[bytes | memoryview]:
        """The coded slice in pieces. Raises EngineFailure on values that are not finite."""

    @abstractmethod
    def _decoded(self, wanted: Slice, body: bytes | memoryview) -> Floats:
        """The inverse, for a body of the right length. Raises CorruptPayload on scales that are no numbers."""

    @abstractmethod
    def _steps(self, wanted: Slice, body: bytes | memoryview) -> Doubles:
        """The coarsest step of each channel in a coded slice."""


def channel_rows(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(batch, channels, the rest) of a slice: axis 1 is the channels where each has enough to need a scale."""
    size = math.prod(shape)
    if len(shape) < 2 or size < _LEAST_ROW * shape[1]:
        return 1, 1, size
    return shape[0], shape[1], math.prod(shape[2:])


def by_channel(extreme: np.ufunc, rows: NDArray[_N]) -> NDArray[_N]:
    """The least or greatest of each channel (C,) in rows (B, C, N): twice as fast as along an axis that is short."""
    batch, channels, length = rows.shape
    found = extreme.reduceat(rows.reshape(-1), np.arange(0, rows.size, length)).reshape(batch, channels)
    each: NDArray[_N] = extreme.reduce(found, axis=0)
    return each


def arithmetic(low: Doubles, high: Doubles) -> DTypeLike:
    """What to compute in: float32, or float64 (slower) where a channel's lowest and highest value ask for it."""
    ranges = (high - low)[high > low]
    usual = low.min() > -_MOST_VALUE and high.max() < _MOST_VALUE and (ranges >= _LEAST_RANGE).all()
    return np.float32 if usual else np.float64


def check_scales(wanted: Slice, low: Doubles, high: Doubles) -> None:
    """Raise CorruptPayload unless float32 holds what a part says its channels reach from and to."""
    most = _GREATEST * (1 + 1e-7)  # what is computed from the greatest float32 may be rounded upwards
    usable = (low <= high).all() and low.min() >= -most and high.max() <= most
    if not usable:
        raise CorruptPayload(
            f"The scales of tensor {wanted.tensor.name} are not usable numbers: send it again."
        )


def doubles_at(body: bytes | memoryview, count: int) -> Doubles:
    """The float64 with which a body begins; copied, for behind a codec's code they are not aligned."""
    return np.frombuffer(body, "<f8", count).astype(np.float64)


def as_float32(values: Floats | Doubles) -> Floats:
    """The values in float32: none becomes infinite by rounding."""
    if values.dtype == np.float32:
        return values.astype(np.float32, copy=False)
    bounded: Floats = np.clip(values, -_GREATEST, _GREATEST).astype(np.float32)
    return bounded


@contextmanager
def _unbuffered() -> Iterator[None]:
    """Sums and products of rows with scales at their full speed: about three times as fast for rows of some hundreds.

    numpy repeats each scale for all numbers that its buffer holds, but not where a row fills the buffer.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # at its end the size is as it was, too
        np.setbufsize(_BUFFER)
        yield


@lru_cache(maxsize=256)  # asked for before every hand-off, and most of them are alike
def _estimate(codec: AffineCodec, spec: LatentSpec) -> float:
    return sum(
        count * (ESTIMATED_BITS * first.size if _is_exact(first) else 8.0 * codec.body_bytes(first))
        for first, count in first_slices(spec)
    )


def _is_exact(wanted: Slice) -> bool:
    return wanted.tensor.name in EXACT_TENSORS
