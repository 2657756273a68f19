"""How steady a clip is: temporal flicker, and the share of moving things whose motion breaks.

Both are read from the pixels alone, so that generated clips and true renders are measured alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

_POINTS: Final = 200
_PYRAMID: Final = 4
_PATCH: Final = 5  # half of the 11 x 11 patch
_REACH: Final = 0.015  # of the diagonal: forward-backward error, and the length of a jump
_ALIKE: Final = 0.5  # correlation of the patch with the one a frame before
# These shares of broken tracks, in all or at one and the same step, break a window. Legs, wings and wheels cost
# true renders up to half of their tracks a second, but not at once; frames in random order lose nearly all.
_BROKEN_TRACKS: Final = 0.6
_BROKEN_AT_ONCE: Final = 0.4
_SSIM_DROP: Final = 0.3
_MOVES: Final = 0.0025  # of the diagonal, within the first steps of a window
_FEW: Final = 3  # fewer tracks than this say nothing
_PROBE_STEPS: Final = 3  # a point that moves, or is lost, within these first steps belongs to what moves


@dataclass(frozen=True, slots=True)
class BreakCount:
    """Broken and counted (object, 1-s window) pairs; the moving parts are one object, the resting ones another."""

    moving_broken: int = 0
    moving: int = 0
    resting_broken: int = 0
    resting: int = 0

    def __add__(self, other: "BreakCount") -> "BreakCount":
        return BreakCount(
            self.moving_broken + other.moving_broken,
            self.moving + other.moving,
            self.resting_broken + other.resting_broken,
            self.resting + other.resting,
        )

    @property
    def rate(self) -> float:
        """Share of moving pairs that are broken; 0 when nothing moves."""
        return self.moving_broken / self.moving if self.moving else 0.0

    @property
    def resting_rate(self) -> float:
        """Share of resting pairs that are broken; 0 when nothing rests."""
        return self.resting_broken / self.resting if self.resting else 0.0


@dataclass(frozen=True, slots=True)
class _Tracks:
    """Points of one window: paths (T, P, 2) in pixels, the step that each was lost at and who left the frame.

    `lost` (P,) counts from 0 and is `T` for points that were never lost; a point rests where it was lost.
    """

    paths: NDArray[np.float32]
    lost: NDArray[np.int64]
    gone: NDArray[np.bool_]


def flicker(frames: Sequence[NDArray[np.uint8]]) -> float:
    """Steadiness after VBench: (255 - mean |f[t] - f[t+1]|) / 255 over RGB frames; 1 is perfectly still.

    Motion counts too, so compare only with a true render of the same scene.
    """
    differences = [float(np.abs(b.astype(np.int16) - a.astype(np.int16)).mean()) for a, b in pairwise(frames)]
    return (255 - float(np.mean(differences))) / 255


def count_breaks(frames: Sequence[NDArray[np.uint8]], fps: int) -> BreakCount:
    """Follows up to 200 corners through each second of RGB frames (H, W, 3), seeded anew every second.

    A track breaks where (a) following it back misses its origin by more than 1.5 % of the diagonal, or (b) it
    jumps: one step is longer than all steps near it by more than 1.5 % of the diagonal and than six median
    deviations of the clip's accelerations (a plain acceleration limit would take the bounce of a ball for a jump),
    or (c) its 11 x 11 patch correlates less than 0.5 with the frame before. A window is broken when 60 % of an
    object's tracks are, or 40 % break at the same step. Without tracks, a fall of the structural similarity by
    0.3 counts as a break.
    """
    grey = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), dtype=np.uint8) for frame in frames]
    windows = [grey[start : start + fps + 1] for start in range(0, len(grey) - 1, fps)]
    windows = [window for window in windows if len(window) > _PROBE_STEPS + 1]
    followed = [_follow(window) for window in windows]
    diagonal = float(np.hypot(*grey[0].shape))
    limit = max(_REACH * diagonal, 6 * _deviation([tracks.paths for tracks in followed]))
    total = BreakCount()
    for window, tracks in zip(windows, followed, strict=True):
        total += _count_window(window, tracks, limit)
    return total


def _count_window(window: list[Grey], tracks: _Tracks, limit: float) -> BreakCount:
    breaks = _breaks(tracks, limit)
    probe = tracks.paths[: _PROBE_STEPS + 1]
    travelled = np.linalg.norm(probe - probe[:1], axis=2).max(axis=0, initial=0)
    moves = (travelled > _MOVES * np.hypot(*window[0].shape)) | (tracks.lost < _PROBE_STEPS)
    moving, resting = breaks[:, moves & ~tracks.gone], breaks[:, ~moves & ~tracks.gone]
    count = BreakCount(moving=1, moving_broken=int(_torn(moving, window)))
    if resting.shape[1] >= _FEW:
        count += BreakCount(resting=1, resting_broken=int(_torn(resting, window)))
    return count


def _breaks(tracks: _Tracks, limit: float) -> NDArray[np.bool_]:
    """Which point (P) breaks at which step (T - 1), as (T - 1, P)."""
    steps = _steps(tracks.paths)
    count = len(steps)
    padded = np.pad(steps, ((3, 3), (0, 0)))
    near = np.max([padded[3 + shift : 3 + shift + count] for shift in (-3, -2, -1, 1, 2, 3)], axis=0)
    return np.asarray((steps - near > limit) | (np.arange(count)[:, None] == tracks.lost), dtype=np.bool_)


def _torn(breaks: NDArray[np.bool_], window: list[Grey]) -> bool:
    if breaks.shape[1] < _FEW:
        return _appearance_breaks(window)
    in_all, at_once = breaks.any(axis=0).mean(), breaks.mean(axis=1).max()
    return bool(in_all >= _BROKEN_TRACKS or at_once >= _BROKEN_AT_ONCE)


def _follow(window: list[Grey]) -> _Tracks:
    height, width = window[0].shape
    diagonal = float(np.hypot(height, width))
    # nothing comes back for a flat picture
    seeds: object = cv2.goodFeaturesToTrack(window[0], _POINTS, 0.01, max(3, height / 60), blockSize=5)
    found = np.asarray(seeds, np.float32) if isinstance(seeds, np.ndarray) else np.zeros((0, 2), np.float32)
    points = found.reshape(-1, 2)
    points = points[_inside(points, width, height)]
    lost, gone = np.full(len(points), len(window)), np.zeros(len(points), np.bool_)
    paths = [points]
    for index, (before, after) in enumerate(pairwise(window)):
        here = paths[-1]
        live = np.flatnonzero((lost == len(window)) & ~gone)
        place = here.copy()
        if len(live):
            there, missed = _step(before, after, here[live])
            gone[live] = ~_inside(there, width, height)
            breaks = (missed > _REACH * diagonal) | (_correlation(before, after, here[live], there) < _ALIKE)
            lost[live[breaks & ~gone[live]]] = index
            place[live[~breaks]] = there[~breaks]
        paths.append(place)
    return _Tracks(np.stack(paths), lost, gone)


def _step(
    before: Grey, after: Grey, points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Where the points go, and by how much following them back misses (infinite where they were lost)."""
    there, found = _track(before, after, points)
    back, found_back = _track(after, before, there)
    missed = np.linalg.norm(back - points, axis=1).astype(np.float64)
    missed[~(found & found_back)] = np.inf
    return there, missed


def _track(
    before: Grey, after: Grey, points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    start = np.ascontiguousarray(points[:, None])
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, start.copy(), maxLevel=_PYRAMID)
    return np.asarray(there, np.float32).reshape(-1, 2), np.asarray(found).ravel() == 1


def _inside(points: NDArray[np.float32], width: int, height: int) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    margin = 2 * _PATCH
    return np.asarray(
        (x > margin) & (y > margin) & (x < width - margin) & (y < height - margin), dtype=np.bool_
    )


def _correlation(
    before: Grey, after: Grey, here: NDArray[np.float32], there: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Normalised correlation of the patches around `here` and `there`; flat patches are alike."""
    size = (2 * _PATCH + 1, 2 * _PATCH + 1)
    result = np.ones(len(here))
    for index, (p, q) in enumerate(zip(here.tolist(), there.tolist(), strict=True)):
        a = cv2.getRectSubPix(before, size, p).astype(np.float64)
        b = cv2.getRectSubPix(after, size, q).astype(np.float64)
        a, b = a - a.mean(), b - b.mean()
        scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
        if scale > 1e-6:
            result[index] = float((a * b).sum()) / scale
        elif max(a.std(), b.std()) > 4:
            result[index] = 0.0
    return result


def _steps(paths: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(np.diff(paths, axis=0), axis=2), dtype=np.float64)


def _deviation(windows: Sequence[NDArray[np.float32]]) -> float:
    """Median absolute deviation of the lengths of all accelerations, in pixels."""
    lengths = [np.linalg.norm(np.diff(paths, n=2, axis=0), axis=2).ravel() for paths in windows]
    everything = np.concatenate(lengths) if lengths else np.zeros(0)
    if not len(everything):
        return 0.0
    return float(np.median(np.abs(everything - np.median(everything))))


def _appearance_breaks(window: list[Grey]) -> bool:
    similar = [_ssim(a, b) for a, b in pairwise(window)]
    return float(np.median(similar)) - min(similar) > _SSIM_DROP


def _ssim(a: Grey, b: Grey) -> float:
    """Mean structural similarity with an 11 x 11 Gaussian window."""
    x, y = a.astype(np.float64), b.astype(np.float64)

    def blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), dtype=np.float64)

    mean_x, mean_y = blur(x), blur(y)
    spread_x, spread_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    shared = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * shared + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (spread_x + spread_y + c2))).mean())
