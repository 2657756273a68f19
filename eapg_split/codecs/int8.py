"""Eight bits a number, each channel of a slice on its own scale. The text stays exact.

Made for speed: no entropy coding, and every pass works on one slice, which fits the second-level cache. What
crosses a cut is noise-free and smooth, so 256 levels a channel are below what a picture shows. The error is at
most half a level, (max - min) / 510 of the channel, and the rounding of float32.
"""

from typing import Final

import numpy as np

from eapg_split.codecs.affine import (
    AffineCodec,
    arithmetic,
    as_float32,
    by_channel,
    channel_rows,
    check_scales,
    doubles_at,
)
from eapg_split.codecs.base import Floats, Slice
from eapg_split.codecs.standalone import Doubles, check_finite

_LEVELS: Final = 255
_SCALE_BYTES: Final = 16  # lowest value and step of a channel, float64 each


class Int8Codec(AffineCodec):
    """One byte a number, each channel (axis 1) on its own scale."""

    name = "int8"

    def body_bytes(self, wanted: Slice) -> int:
        return channel_rows(wanted.shape)[1] * _SCALE_BYTES + wanted.size

    def _encoded(self, wanted: Slice, values: Floats) -> tuple[memoryview, memoryview]:
        """Scales of all channels, then one byte an element."""
        work = np.array(values, order="C").reshape(channel_rows(wanted.shape))
        least, most = by_channel(np.minimum, work), by_channel(np.maximum, work)
        check_finite(wanted, least, most)
        low, high = least.astype(np.float64), most.astype(np.float64)
        step = (high - low) / _LEVELS
        kind = arithmetic(low, high)
        work = work.astype(kind, copy=False)
        np.subtract(work, low.astype(kind)[:, None], out=work)
        np.multiply(work, (1 / np.where(step > 0, step, 1.0)).astype(kind)[:, None], out=work)
        np.rint(work, out=work)
        scales = np.stack((low, step)).astype("<f8", copy=False)
        return scales.data, work.astype(np.uint8).data

    def _decoded(self, wanted: Slice, body: bytes | memoryview) -> Floats:
        rows = channel_rows(wanted.shape)
        low, step = doubles_at(body, 2 * rows[1]).reshape(2, rows[1])
        high = low + _LEVELS * step
        check_scales(wanted, low, high)
        kind = arithmetic(low, high)
        levels = np.frombuffer(body, np.uint8, offset=rows[1] * _SCALE_BYTES)
        values = levels.reshape(rows).astype(kind)
        np.multiply(values, step.astype(kind)[:, None], out=values)
        np.add(values, low.astype(kind)[:, None], out=values)
        return as_float32(values).reshape(wanted.shape)

    def _steps(self, wanted: Slice, body: bytes | memoryview) -> Doubles:
        channels = channel_rows(wanted.shape)[1]
        return doubles_at(body, 2 * channels)[channels:]
