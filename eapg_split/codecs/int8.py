"""Eight bits a number, each channel of a slice on its own scale. The text stays exact.

Made for speed: no entropy coding, and every pass works on one slice, which fits the second-level cache. What
crosses a cut is noise-free and smooth, so 256 levels a channel are below what a picture shows. The error is at
most half a level, (max - min) / 510 of the channel, and the rounding of float32.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity, Floats, Part, Slice, SliceDecoder
from eapg_split.codecs.lossless import ESTIMATED_BITS, LosslessCodec
from eapg_split.codecs.standalone import (
    Doubles,
    arithmetic,
    as_float32,
    channel_rows,
    check_finite,
    check_length,
    check_scales,
    encoded_slices,
    first_slices,
    is_exact,
)
from eapg_split.domain.latent import Latent, LatentSpec

_LEVELS: Final = 255
_SCALE_BYTES: Final = 16  # lowest value and step of a channel, float64 each
_EXACT: Final = LosslessCodec()


class Int8Codec:
    """One byte a number, each channel (axis 1) on its own scale."""

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
            count * (ESTIMATED_BITS * first.size if is_exact(first) else 8.0 * _body_bytes(first))
            for first, count in first_slices(spec)
        )

    def encode_slice(self, wanted: Slice, values: Floats, head: bytes = b"") -> bytes:
        """Scales of all channels, then one byte an element. Raises EngineFailure on values not finite."""
        if is_exact(wanted):
            return _EXACT.encode_slice(wanted, values, head)
        rows = values.reshape(channel_rows(wanted.shape))
        least, most = rows.min(axis=2).min(axis=0), rows.max(axis=2).max(axis=0)
        check_finite(wanted, least, most)
        low, high = least.astype(np.float64), most.astype(np.float64)
        step = (high - low) / _LEVELS
        scales = head + np.concatenate((low, step)).astype("<f8", copy=False).tobytes()
        body = np.empty(len(head) + _body_bytes(wanted), np.uint8)
        body[: len(scales)] = np.frombuffer(scales, np.uint8)
        kind = arithmetic(low, high)
        work = np.subtract(rows, least[:, None], dtype=kind)
        np.multiply(work, (1 / np.where(step > 0, step, 1.0)).astype(kind)[:, None], out=work)
        np.rint(work, out=work)
        np.copyto(body[len(scales) :].reshape(rows.shape), work, casting="unsafe")
        return body.tobytes()

    def decode_slice(self, wanted: Slice, body: bytes | memoryview) -> Floats:
        """Raises CorruptPayload on another length, and on scales that are no numbers."""
        if is_exact(wanted):
            return _EXACT.decode_slice(wanted, body)
        check_length(body, _body_bytes(wanted))
        rows = channel_rows(wanted.shape)
        low, step = np.frombuffer(body, "<f8", 2 * rows[1]).reshape(2, rows[1])
        with np.errstate(over="ignore", invalid="ignore"):
            high = low + _LEVELS * step
        check_scales(wanted, low, high)
        levels = np.frombuffer(body, np.uint8, offset=rows[1] * _SCALE_BYTES).reshape(rows)
        kind = arithmetic(low, high)
        values = np.multiply(levels, step.astype(kind)[:, None], dtype=kind)
        np.add(values, low.astype(kind)[:, None], out=values)
        return as_float32(values).reshape(wanted.shape)

    def steps_of(self, wanted: Slice, body: bytes | memoryview) -> Doubles:
        if is_exact(wanted):
            return np.zeros(1)
        channels = channel_rows(wanted.shape)[1]
        return np.frombuffer(body, "<f8", channels, offset=8 * channels)


def _body_bytes(wanted: Slice) -> int:
    return channel_rows(wanted.shape)[1] * _SCALE_BYTES + wanted.size
