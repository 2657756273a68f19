"""From the clip of one stage to the frame times and size of the next, in pixel space, frame by frame.

Time: linear between the neighbouring frames. Space: bilinear with half-pixel centres. No more than two frames
of the new size are held at once.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.workload import Geometry

Floats = NDArray[np.float32]


def upsample(frames: Iterable[Floats], source: Geometry, target: Geometry) -> Iterator[Floats]:
    """The target's frames, float32 (H, W, 3), from the source's (which may be longer than it is asked for)."""
    resize = resizer((source.height, source.width), (target.height, target.width))
    resized = (resize(frame) for frame in frames)
    ratio = source.fps / target.fps
    index, before = 0, next(resized)
    after = next(resized, before)
    for position in (j * ratio for j in range(target.frames)):
        nearest = round(position)
        moment = float(nearest) if abs(position - nearest) < 1e-6 else position
        while index + 1 <= moment:
            index, before, after = index + 1, after, next(resized, after)
        fraction = moment - index
        yield before if fraction == 0.0 else _mix(before, after, fraction)


def resizer(source: tuple[int, int], target: tuple[int, int]) -> Callable[[Floats], Floats]:
    """A function that resizes (H, W, 3) frames of one size to another."""
    rows, columns = _along(0, source[0], target[0]), _along(1, source[1], target[1])
    # the cheaper order: shrink first, grow last
    if target[0] * source[1] <= source[0] * target[1]:
        return lambda frame: columns(rows(frame))
    return lambda frame: rows(columns(frame))


def _along(axis: int, source: int, target: int) -> Callable[[Floats], Floats]:
    if source == target:
        return lambda frame: frame
    if target == 2 * source:
        return lambda frame: _double(frame, axis)
    centres = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
    low = np.minimum(centres.astype(np.intp), source - 1)
    high = np.minimum(low + 1, source - 1)
    weight = (centres - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (-1, 1))

    def resize(frame: Floats) -> Floats:
        first: Floats = frame.take(low, axis=axis)
        resized: Floats = first + (frame.take(high, axis=axis) - first) * weight
        return resized

    return resize


def _double(frame: Floats, axis: int) -> Floats:
    """Exactly twice the size: the weights are 3/4 and 1/4 everywhere, and no indices are needed."""
    shape = list(frame.shape)
    shape[axis] *= 2
    out = np.empty(shape, np.float32)
    x = frame if axis == 0 else frame.swapaxes(0, 1)
    y = out if axis == 0 else out.swapaxes(0, 1)
    quarter = (x[1:] - x[:-1]) * np.float32(0.25)
    y[0], y[-1] = x[0], x[-1]
    np.add(x[:-1], quarter, out=y[1:-1:2])
    np.subtract(x[1:], quarter, out=y[2:-1:2])
    return out


def _mix(before: Floats, after: Floats, fraction: float) -> Floats:
    mixed = after - before
    mixed *= np.float32(fraction)
    mixed += before
    return mixed
