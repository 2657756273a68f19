from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eapg_split.domain.workload import Geometry
from eapg_split.eapg.upsample import resizer, upsample

Floats = NDArray[np.float32]
sides = st.integers(1, 24)


def clip(geometry: Geometry, seed: int = 0) -> Floats:
    shape = (geometry.frames, geometry.height, geometry.width, 3)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def bilinear(frame: Floats, height: int, width: int) -> NDArray[np.float64]:
    """The definition, pixel by pixel: half-pixel centres, edges repeated."""
    out = np.zeros((height, width, 3))
    for y, x in np.ndindex(height, width):
        at = [
            min(max((position + 0.5) * have / want - 0.5, 0), have - 1)
            for position, have, want in ((y, frame.shape[0], height), (x, frame.shape[1], width))
        ]
        low = [int(value) for value in at]
        for dy, dx in np.ndindex(2, 2):
            weight = 1.0
            for value, start, step in zip(at, low, (dy, dx), strict=True):
                weight *= value - start if step else 1 - (value - start)
            row, column = min(low[0] + dy, frame.shape[0] - 1), min(low[1] + dx, frame.shape[1] - 1)
            out[y, x] += weight * frame[row, column].astype(np.float64)
    return out


@settings(max_examples=40, deadline=None)
@given(sides, sides, sides, sides, st.booleans())
def test_resizing_follows_the_definition(h: int, w: int, to_h: int, to_w: int, double: bool) -> None:
    if double:
        to_h, to_w = 2 * h, 2 * w
    frame = clip(Geometry(1, w, h, 1))[0]
    resized = resizer((h, w), (to_h, to_w))(frame)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, bilinear(frame, to_h, to_w), atol=2e-6)


@pytest.mark.parametrize(
    ("source_fps", "target_fps"), [(1, 6), (6, 12), (12, 24), (7.5, 15), (1, 6.25), (10, 12)]
)
def test_time_is_linear_between_neighbours(source_fps: float, target_fps: float) -> None:
    source, target = (
        Geometry(source_fps, 4, 4, 6),
        Geometry(target_fps, 4, 4, 1 + int(5 * target_fps / source_fps)),
    )
    ramp = np.stack([np.full((4, 4, 3), i / source_fps, np.float32) for i in range(source.frames)])
    frames = np.stack(list(upsample(iter(ramp), source, target)))
    times = np.arange(target.frames) / target.fps
    np.testing.assert_allclose(frames[:, 0, 0, 0], times, atol=1e-6)


def test_shared_moments_are_copied_exactly() -> None:
    source, target = Geometry(6, 8, 4, 31), Geometry(12, 8, 4, 61)
    frames = clip(source)
    raised = np.stack(list(upsample(iter(frames), source, target)))
    np.testing.assert_array_equal(raised[::2], frames)
    np.testing.assert_allclose(raised[1::2], (frames[1:] + frames[:-1]) / 2, atol=1e-6)


def test_the_last_frame_is_held_beyond_the_end() -> None:
    source, target = Geometry(10, 4, 4, 2), Geometry(12, 4, 4, 3)
    frames = clip(source)
    raised = list(upsample(iter(frames), source, target))
    np.testing.assert_array_equal(raised[2], frames[1])


@given(st.floats(-1, 1, width=32), sides, sides, sides, sides)
def test_a_constant_clip_stays_constant(value: float, h: int, w: int, to_h: int, to_w: int) -> None:
    source, target = Geometry(1, w, h, 2), Geometry(6, to_w, to_h, 7)
    frames = np.full((2, h, w, 3), value, np.float32)
    for frame in upsample(iter(frames), source, target):
        assert frame.shape == (to_h, to_w, 3)
        assert (frame == np.float32(value)).all()


def test_frames_are_taken_as_they_are_needed() -> None:
    """Memory: no more source frames are drawn than the next output needs."""
    taken = 0

    def source_frames() -> Iterator[Floats]:
        nonlocal taken
        for frame in clip(Geometry(6, 4, 4, 31)):
            taken += 1
            yield frame

    raised = upsample(source_frames(), Geometry(6, 4, 4, 31), Geometry(12, 8, 8, 61))
    for index, _ in enumerate(raised):
        assert taken <= index // 2 + 2
