"""Eight bits a number, each channel of a slice on its own scale. The text stays exact.

Made for speed: no entropy coding, and every pass works on one slice, which fits the second-level cache. What
crosses a cut is noise-free and smooth, so 256 levels a channel are below what a picture shows. The error is at
most half a level, (max - min) / 510 of the channel, and the rounding of float32.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity, Floats, Part, Slice, SliceDecoder, slices_of
from eapg_split.codecs.lossless import ESTIMATED_BITS, LosslessCodec
from eapg_split.codecs.standalone import channel_rows, check_finite, encoded_slices, is_exact
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload

_LEVELS: Final = 255
_SCALE_BYTES: Final = 16  # lowest value and step of a channel, float64 each
_LEAST_RANGE, _MOST_RANGE = 1e-30, 1e37  # beyond, float32 arithmetic on steps would underflow or overflow
_EXACT: Final = LosslessCodec()


class Int8Codec:
    """Lossy: per-channel affine, axis 1 of a tensor of rank 2 or more being its channels."""

    name = "int8"
    lossless = False

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        del fidelity  # its step follows from the data
        return encoded_slices(latent, self.encode_slice)

    def decoder(self, spec: LatentSpec) -> SliceDecoder:
        return SliceDecoder(spec, self.decode_slice)

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        """Exact but for the text."""
        del fidelity
        return sum(
            ESTIMATED_BITS * each.size if is_exact(each) else 8.0 * _body_bytes(each)
            for each in slices_of(spec)
        )

    def encode_slice(self, wanted: Slice, values: Floats) -> bytes:
        """Scales of all channels, then one byte an element. Raises EngineFailure on values not finite."""
        if is_exact(wanted):
            return _EXACT.encode_slice(wanted, values)
        rows = values.reshape(channel_rows(wanted.shape))
        low, high = rows.min(axis=2).min(axis=0), rows.max(axis=2).max(axis=0)
        check_finite(wanted, low, high)
        step = (high.astype(np.float64) - low) / _LEVELS
        body = np.empty(_body_bytes(wanted), np.uint8)
        head = len(low) * _SCALE_BYTES
        body[:head].view("<f8")[:] = np.concatenate((low, step))
        levels = body[head:].reshape(rows.shape)
        kind = _arithmetic(step)
        divisor = np.where(step > 0, step, 1.0)[:, None]
        work = np.subtract(rows, low[:, None], dtype=kind)
        np.multiply(work, (1 / divisor).astype(kind), out=work)
        np.rint(work, out=work)
        np.copyto(levels, work, casting="unsafe")
        return body.tobytes()

    def decode_slice(self, wanted: Slice, body: bytes) -> Floats:
        if is_exact(wanted):
            return _EXACT.decode_slice(wanted, body)
        if len(body) != _body_bytes(wanted):
            raise CorruptPayload(
                f"A part holds {len(body)} bytes where {_body_bytes(wanted)} belong: send it again."
            )
        rows = channel_rows(wanted.shape)
        head = rows[1] * _SCALE_BYTES
        low, step = np.frombuffer(body, "<f8", 2 * rows[1]).reshape(2, rows[1])
        _check_scales(wanted, low, step)
        levels = np.frombuffer(body, np.uint8, offset=head).reshape(rows)
        kind = _arithmetic(step)
        values = np.multiply(levels, step[:, None].astype(kind), dtype=kind)
        np.add(values, low[:, None].astype(kind), out=values)
        return values.astype(np.float32, copy=False).reshape(wanted.shape)

    def step_of(self, wanted: Slice, body: bytes) -> float:
        """The coarsest level of an encoded slice, twice its largest error."""
        if is_exact(wanted):
            return 0.0
        channels = channel_rows(wanted.shape)[1]
        return float(np.frombuffer(body, "<f8", channels, offset=8 * channels).max())


def _body_bytes(wanted: Slice) -> int:
    return channel_rows(wanted.shape)[1] * _SCALE_BYTES + math.prod(wanted.shape)


def _arithmetic(step: NDArray[np.float64]) -> type[np.float32] | type[np.float64]:
    """What to compute in: float32, or float64 (slower) where a channel's range asks for it."""
    ranges = step[step > 0] * _LEVELS
    usual = ranges.size == 0 or (ranges.min() >= _LEAST_RANGE and ranges.max() <= _MOST_RANGE)
    return np.float32 if usual else np.float64


def _check_scales(wanted: Slice, low: NDArray[np.float64], step: NDArray[np.float64]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        ends = np.stack((low, low + _LEVELS * step)).astype(np.float32)
    if not (np.isfinite(ends).all() and (step >= 0).all()):
        raise CorruptPayload(
            f"The scales of tensor {wanted.tensor.name} are not usable numbers: send it again."
        )
