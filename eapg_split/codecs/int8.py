"""Eight bits a number, each channel on its own scale, differences along time, then zstd. The text stays exact.

What crosses a cut is noise-free and smooth, so 255 levels a channel are below what a picture shows, and most
differences are small. The error is at most half a level: (max - min) / 510 of the channel.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import Payload
from eapg_split.codecs.compression import compress, decompress
from eapg_split.codecs.lossless import shuffle, unshuffle
from eapg_split.domain.latent import Latent, LatentSpec, TensorSpec
from eapg_split.errors import CorruptPayload, EngineFailure

_LEVELS: Final = 255
_SCALE_BYTES: Final = 16  # lowest value and step of a channel, float64 each
_EXACT: Final = ("text",)
_BITS_PER_ELEMENT: Final = 6.0
_EXACT_BITS: Final = 28.0


class Int8Codec:
    """Lossy: per-channel affine, axis 1 of a tensor of rank 2 or more being its channels."""

    name = "int8"
    lossless = False

    def encode(self, latent: Latent) -> Payload:
        parts = []
        for tensor in latent.spec.tensors:
            array = latent[tensor.name]
            exact = tensor.name in _EXACT
            parts.append(shuffle(array.ravel()) if exact else _quantise(tensor, array))
        return Payload.of(latent.spec, self.name, compress(b"".join(parts)))

    def decode(self, payload: Payload) -> Latent:
        payload.verify(self.name)
        sizes = [_encoded_bytes(tensor) for tensor in payload.spec.tensors]
        raw = memoryview(decompress(payload.body, sum(sizes)))
        tensors, position = {}, 0
        for tensor, size in zip(payload.spec.tensors, sizes, strict=True):
            part = raw[position : position + size]
            exact = tensor.name in _EXACT
            values = unshuffle(part).reshape(tensor.shape) if exact else _dequantise(tensor, part)
            tensors[tensor.name] = values
            position += size
        return Latent(tensors)

    def estimate_bits(self, spec: LatentSpec) -> float:
        exact = sum(tensor.size for tensor in spec.tensors if tensor.name in _EXACT)
        return _EXACT_BITS * exact + _BITS_PER_ELEMENT * (spec.elements - exact)


def _rows(tensor: TensorSpec) -> tuple[int, int, int, int]:
    """(batch, channels, time, the rest) of a tensor of any rank."""
    shape = tensor.shape if len(tensor.shape) > 1 else (1, *tensor.shape)
    time = shape[2] if len(shape) > 2 else 1
    return shape[0], shape[1], time, math.prod(shape[3:])


def _encoded_bytes(tensor: TensorSpec) -> int:
    return tensor.raw_bytes if tensor.name in _EXACT else _rows(tensor)[1] * _SCALE_BYTES + tensor.size


def _quantise(tensor: TensorSpec, array: NDArray[np.float32]) -> bytes:
    rows = array.reshape(_rows(tensor))
    low = rows.min(axis=(0, 2, 3)).astype(np.float64)
    high = rows.max(axis=(0, 2, 3)).astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise EngineFailure(
            f"Tensor {tensor.name} holds values that are not finite numbers: nothing to send."
        )
    scale = (high - low) / _LEVELS
    divisor = np.where(scale > 0, scale, 1.0)
    levels = np.rint((rows - low[:, None, None]) / divisor[:, None, None]).astype(np.uint8)
    levels[:, :, 1:] = np.diff(levels, axis=2)  # modulo 256, hence reversible
    return bytes(np.stack((low, scale)).astype("<f8").tobytes() + levels.tobytes())


def _dequantise(tensor: TensorSpec, part: memoryview) -> NDArray[np.float32]:
    rows = _rows(tensor)
    split = rows[1] * _SCALE_BYTES
    low, scale = np.frombuffer(part[:split], "<f8").reshape(2, rows[1], 1, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        ends = np.stack((low, low + _LEVELS * scale)).astype(np.float32)
    if not (np.isfinite(ends).all() and (scale >= 0).all()):
        raise CorruptPayload(f"The scales of tensor {tensor.name} are not usable numbers: send it again.")
    levels = np.cumsum(np.frombuffer(part[split:], np.uint8).reshape(rows), axis=2, dtype=np.uint8)
    return (low + scale * levels).astype(np.float32).reshape(tensor.shape)
