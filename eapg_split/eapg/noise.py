"""Gaussian noise that never crosses the wire: a pure function of (seed, stage, element index).

Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) turns a counter into four
words, Box-Muller turns them into four normal numbers. Any box of a latent can be had by itself. The element
(c, t, h, w) of a latent with C channels is lane c % 4 of counter ((t * H + h) * W + w) * ceil(C / 4) + c // 4.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
Box = tuple[Span, Span, Span]

_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_LOW: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32)
_ROUNDS: Final = 10
_LANES: Final = 4
_CHUNK: Final = 1 << 14  # counters at a time: the working set stays in the cache


def philox(counters: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Philox 4x32-10: (4, n) words of 32 bits, held in uint64, to the same shape."""
    c0, c1, c2, c3 = counters
    k0, k1 = key
    first, second = (np.uint64(multiplier) for multiplier in _MULTIPLIERS)
    for _ in range(_ROUNDS):
        p0, p1 = first * c0, second * c2
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack((c0, c1, c2, c3))


def normals(counters: NDArray[np.uint64], *, seed: int, stage: int) -> NDArray[np.float32]:
    """Four standard normal numbers for each counter: (n,) to (n, 4)."""
    out = np.empty((counters.size, _LANES), np.float32)
    for start in range(0, counters.size, _CHUNK):
        chunk = counters[start : start + _CHUNK]
        stages = np.full_like(chunk, stage)
        block = np.stack((chunk & _LOW, chunk >> _SHIFT, stages, np.zeros_like(chunk)))
        words = philox(block, (seed & 0xFFFFFFFF, seed >> 32)).astype(np.float64)
        for lane in (0, 2):
            radius = np.sqrt(-2.0 * np.log((words[lane] + 1.0) * 2.0**-32))  # never the logarithm of zero
            angle = words[lane + 1] * (2.0 * np.pi * 2.0**-32)
            out[start : start + _CHUNK, lane] = radius * np.cos(angle)
            out[start : start + _CHUNK, lane + 1] = radius * np.sin(angle)
    return out


def latent_noise(
    seed: int, stage: int, *, shape: tuple[int, int, int, int], box: Box | None = None
) -> NDArray[np.float32]:
    """The noise of a latent of shape (C, T, H, W), or of the box ((t0, t1), (h0, h1), (w0, w1)) of it."""
    channels, frames, height, width = shape
    spans = box or ((0, frames), (0, height), (0, width))
    groups = -(-channels // _LANES)
    indices = (np.arange(start, stop, dtype=np.uint64) for start, stop in (*spans, (0, groups)))
    t, h, w, group = np.ix_(*indices)
    counters = ((t * np.uint64(height) + h) * np.uint64(width) + w) * np.uint64(groups) + group
    values = normals(counters.ravel(), seed=seed, stage=stage)
    values = values.reshape(*counters.shape[:3], groups * _LANES)[..., :channels]
    return np.ascontiguousarray(values.transpose(3, 0, 1, 2))
