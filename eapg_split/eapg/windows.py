"""Windows over (T, H, W), so that long clips and large frames cost linear time and constant memory.

Neighbouring windows overlap, and their results are mixed with weights that ramp linearly and sum to one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.eapg.noise import Box, Span

Floats = NDArray[np.float32]
Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """The largest window and the least overlap, in latent cells along (T, H, W)."""

    size: Triple
    overlap: Triple


UNLIMITED: Final = 1 << 30
GRID: Final = 4  # cells by which the networks shrink their input
# the light stages have a few thousand cells a frame at most, and see the whole frame
LIGHT: Final = WindowLimits((32, UNLIMITED, UNLIMITED), (8, 0, 0))
FINE: Final = WindowLimits((32, 48, 80), (8, 12, 16))


def spans(length: int, size: int, overlap: int) -> tuple[Span, ...]:
    """Windows of equal size that cover 0..length, evenly spread, overlapping by at least `overlap`.

    Size and overlap are multiples of 4. All starts but the last are too, so that a network that shrinks its
    input by 4 sees the same grid in every window; an odd length can cost the last overlap up to 3 cells.
    """
    if length <= size:
        return ((0, length),)
    count = -(-(length - overlap) // (size - overlap))
    last = length - size
    starts = [last * i // (count - 1) // GRID * GRID for i in range(count - 1)]
    return tuple((start, start + size) for start in [*starts, last])


def ramps(length: int, windows: tuple[Span, ...]) -> list[Floats]:
    """One weight per cell of each window; over all windows they sum to one in every cell."""
    cells = np.arange(length) + 0.5
    weights = []
    for i, (start, stop) in enumerate(windows):
        weight = np.ones(length)
        if i > 0:
            weight = np.minimum(weight, (cells - start) / (windows[i - 1][1] - start))
        if i + 1 < len(windows):
            weight = np.minimum(weight, (stop - cells) / (stop - windows[i + 1][0]))
        weights.append(np.maximum(weight, 0.0))
    total = np.sum(weights, axis=0)
    pairs = zip(windows, weights, strict=True)
    return [(weight / total)[start:stop].astype(np.float32) for (start, stop), weight in pairs]


def tiled(shape: tuple[int, int, int, int], limits: WindowLimits, predict: Callable[[Box], Floats]) -> Floats:
    """(C, T, H, W) put together from `predict(box)` -> (C, t, h, w) over all windows, in a fixed order."""
    axes = [spans(n, s, o) for n, s, o in zip(shape[1:], limits.size, limits.overlap, strict=True)]
    if all(len(axis) == 1 for axis in axes):
        return predict((axes[0][0], axes[1][0], axes[2][0]))
    weights = [ramps(length, axis) for length, axis in zip(shape[1:], axes, strict=True)]
    total = np.zeros(shape, np.float32)
    for i, j, k in product(*(range(len(axis)) for axis in axes)):
        box = (axes[0][i], axes[1][j], axes[2][k])
        weight = weights[0][i][:, None, None] * weights[1][j][:, None] * weights[2][k]
        (t0, t1), (h0, h1), (w0, w1) = box
        total[:, t0:t1, h0:h1, w0:w1] += predict(box) * weight
    return total
