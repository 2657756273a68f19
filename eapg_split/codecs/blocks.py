"""Latents as blocks of 4x4 neighbours, and the transform that gathers what smooth neighbours share.

Light latents hold 4x4 pixels of a colour in their channels: those are the blocks there, and frames that were folded
into channels become frames again. Elsewhere a block is 4x4 cells of one channel. Coefficients are (4, 4, F, C, h, w):
the frequency in rows and columns, the frame, the channel, the block's row and column. Only sums and products of single
numbers are used, in a fixed order, so every machine gets the same bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import Slice

Floats = NDArray[np.float32]

SIDE: Final = 4
_COLOURS: Final = 3
_FOLDED: Final = {
    _COLOURS * SIDE * SIDE: 1,
    _COLOURS * SIDE * SIDE * 4: 4,
}  # channels -> frames in one latent
_HALF: Final = np.float32(0.5)
_LONG: Final = np.float32(np.sqrt(0.5) * np.cos(np.pi / 8))
_SHORT: Final = np.float32(np.sqrt(0.5) * np.sin(np.pi / 8))
_THIRD, _ROOT_HALF, _ROOT_SIXTH = (np.float32(np.sqrt(1 / n)) for n in (3, 2, 6))


@dataclass(frozen=True, slots=True)
class Layout:
    """How a slice of shape (1, C, T, H, W) lies in blocks; `fold` frames of a light latent share its channels, or 0."""

    fold: int
    channels: int
    frames: int
    rows: int
    columns: int

    @classmethod
    def of(cls, wanted: Slice) -> "Layout | None":
        """The layout of a slice; None where it has another rank than (1, C, T, H, W)."""
        if len(wanted.shape) != 5 or wanted.shape[0] != 1:
            return None
        _, channels, frames, height, width = wanted.shape
        fold = _FOLDED.get(channels, 0)
        if fold:
            return cls(fold, _COLOURS, frames * fold, height, width)
        return cls(0, channels, frames, -(-height // SIDE), -(-width // SIDE))

    @property
    def shape(self) -> tuple[int, int, int, int, int, int]:
        """The shape of the coefficients."""
        return SIDE, SIDE, self.frames, self.channels, self.rows, self.columns


def to_coefficients(array: Floats, layout: Layout) -> Floats:
    """The slice's coefficients, orthonormal: squared errors are the same on both sides."""
    _, _, frames, height, width = array.shape
    if layout.fold:
        split = array.reshape(_COLOURS, layout.fold, SIDE, SIDE, frames, height, width)
        blocks = np.ascontiguousarray(split.transpose(2, 3, 4, 1, 0, 5, 6)).reshape(layout.shape)
        blocks = _mix_colours(blocks)
    else:
        tall, wide = layout.rows * SIDE - height, layout.columns * SIDE - width
        if tall or wide:
            array = np.pad(array, ((0, 0), (0, 0), (0, 0), (0, tall), (0, wide)), mode="edge")
        split = array.reshape(layout.channels, frames, layout.rows, SIDE, layout.columns, SIDE)
        blocks = np.ascontiguousarray(split.transpose(3, 5, 1, 0, 2, 4))
    return _along(_along(blocks, _forward).swapaxes(0, 1), _forward).swapaxes(0, 1)


def from_coefficients(coefficients: Floats, layout: Layout, shape: tuple[int, ...]) -> Floats:
    """The inverse: the slice's array of that shape."""
    blocks = _along(_along(coefficients, _inverse).swapaxes(0, 1), _inverse).swapaxes(0, 1)
    _, channels, frames, height, width = shape
    if layout.fold:
        mixed = _unmix_colours(blocks)
        split = mixed.reshape(SIDE, SIDE, frames, layout.fold, _COLOURS, height, width)
        return np.ascontiguousarray(split.transpose(4, 3, 0, 1, 2, 5, 6)).reshape(shape)
    joined = blocks.transpose(3, 2, 4, 0, 5, 1).reshape(
        channels, frames, layout.rows * SIDE, layout.columns * SIDE
    )
    return np.ascontiguousarray(joined[None, :, :, :height, :width])


def _along(blocks: Floats, transform: Callable[[Floats, Floats], None]) -> Floats:
    out = np.empty_like(blocks)
    transform(blocks, out)
    return out


def _forward(x: Floats, out: Floats) -> None:
    """DCT-II of four numbers along the first axis."""
    outer, inner = x[0] + x[3], x[1] + x[2]
    out[0] = (outer + inner) * _HALF
    out[2] = (outer - inner) * _HALF
    outer, inner = x[0] - x[3], x[1] - x[2]
    out[1] = outer * _LONG + inner * _SHORT
    out[3] = outer * _SHORT - inner * _LONG


def _inverse(x: Floats, out: Floats) -> None:
    even, odd = (x[0] + x[2]) * _HALF, x[1] * _LONG + x[3] * _SHORT
    out[0], out[3] = even + odd, even - odd
    even, odd = (x[0] - x[2]) * _HALF, x[1] * _SHORT - x[3] * _LONG
    out[1], out[2] = even + odd, even - odd


def _mix_colours(blocks: Floats) -> Floats:
    """Red, green, blue to brightness and two differences, orthonormal, on axis 3."""
    red, green, blue = (blocks[:, :, :, i] for i in range(_COLOURS))
    out = np.empty_like(blocks)
    out[:, :, :, 0] = (red + green + blue) * _THIRD
    out[:, :, :, 1] = (red - blue) * _ROOT_HALF
    out[:, :, :, 2] = (red + blue - green - green) * _ROOT_SIXTH
    return out


def _unmix_colours(blocks: Floats) -> Floats:
    grey, first, second = (blocks[:, :, :, i] for i in range(_COLOURS))
    grey, first, second = grey * _THIRD, first * _ROOT_HALF, second * _ROOT_SIXTH
    out = np.empty_like(blocks)
    out[:, :, :, 0] = grey + first + second
    out[:, :, :, 1] = grey - second - second
    out[:, :, :, 2] = grey - first + second
    return out
