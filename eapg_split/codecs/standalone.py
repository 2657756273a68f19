"""Codecs whose slices stand alone: each part is a function of its slice, and the other way round."""

import math
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np

from eapg_split.codecs.base import EXACT_TENSORS, TIME_AXIS, Codec, Floats, Part, Slice, slices_of
from eapg_split.domain.latent import Latent
from eapg_split.errors import EngineFailure

_LEAST_ROW: Final = 64  # elements: a scale for fewer would cost more than it saves


class StandaloneCodec(Codec, Protocol):
    """A codec that can code any one slice without the others."""

    def encode_slice(self, wanted: Slice, values: Floats) -> bytes:
        """The slice's bytes; `values` has the slice's shape and any strides."""
        ...

    def decode_slice(self, wanted: Slice, body: bytes) -> Floats:
        """The slice's array. Raises CorruptPayload on anything wrong, before it allocates."""
        ...


def encoded_slices(latent: Latent, encode: Callable[[Slice, Floats], bytes]) -> Iterator[Part]:
    """One part for each slice, computed when it is asked for."""
    for wanted in slices_of(latent.spec):
        yield Part.of(encode(wanted, slice_view(latent, wanted)))


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


def check_finite(wanted: Slice, *bounds: np.ndarray) -> None:
    """Raise EngineFailure unless the slice's lowest and highest values are numbers."""
    if not all(np.isfinite(bound).all() for bound in bounds):
        raise EngineFailure(
            f"Tensor {wanted.tensor.name} holds values that are not finite numbers: nothing to send."
        )
