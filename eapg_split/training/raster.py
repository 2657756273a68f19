"""Draws scenes: colour frames, part masks and exact optical flow at any size and any moment."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from eapg_split.training.geometry import Affine
from eapg_split.training.scene import Scene

_SUBPIXEL_BITS = 6


def _supersampling(height: int) -> int:
    return 4 if height <= 48 else 3 if height <= 96 else 2


def _to_pixels(scene: Scene, t: float, width: int, height: int) -> list[list[NDArray[np.int32]]]:
    """Outlines of every part in fixed-point pixels; pixel (0, 0) covers [0, 1) x [0, 1)."""
    scale = height * (1 << _SUBPIXEL_BITS)
    # cv2 takes integer coordinates as pixel centres, hence the half pixel
    offset = np.array([width, height]) * (1 << _SUBPIXEL_BITS) / 2 - (1 << (_SUBPIXEL_BITS - 1))
    drawn = []
    for index, part in enumerate(scene.parts):
        m = scene.placement(index, t)
        drawn.append(
            [np.rint((o @ m[:, :2].T + m[:, 2]) * scale + offset).astype(np.int32) for o in part.outlines]
        )
    return drawn


def _frame(scene: Scene, t: float, width: int, height: int) -> NDArray[np.uint8]:
    factor = _supersampling(height)
    w, h = width * factor, height * factor
    top, bottom = (np.array(c, dtype=np.float32) for c in scene.sky)
    share = ((np.arange(h, dtype=np.float32) + 0.5) / h)[:, None]
    canvas = np.ascontiguousarray(
        np.broadcast_to((top + (bottom - top) * share)[:, None, :], (h, w, 3)).astype(np.uint8)
    )
    for part, outlines in zip(scene.parts, _to_pixels(scene, t, w, h), strict=True):
        for outline in outlines:
            cv2.fillPoly(canvas, [outline], part.colour, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def render(scene: Scene, times: Sequence[float], width: int, height: int) -> NDArray[np.uint8]:
    """RGB frames (T, H, W, 3) of the scene at the given moments in seconds."""
    return np.stack([_frame(scene, float(t), width, height) for t in times])


def render_parts(scene: Scene, t: float, width: int, height: int) -> NDArray[np.int32]:
    """Which part each pixel centre shows, (H, W); -1 is the sky."""
    ids = np.zeros((height, width), dtype=np.uint16)
    for index, outlines in enumerate(_to_pixels(scene, t, width, height)):
        for outline in outlines:
            cv2.fillPoly(ids, [outline], index + 1, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return ids.astype(np.int32) - 1


def _inverse(m: Affine) -> Affine:
    linear = np.linalg.inv(m[:, :2])
    return np.concatenate([linear, -(linear @ m[:, 2])[:, None]], axis=1)


def render_flow(
    scene: Scene, t0: float, t1: float, width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Exact flow (H, W, 2) in pixels from t0 to t1 for what is visible at t0, and the part mask (H, W).

    Every part moves affinely, so the flow of a pixel is the motion of the material point under it.
    """
    ids = render_parts(scene, t0, width, height)
    x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    points = np.stack([x, y], axis=-1) / height
    flow = np.zeros((height, width, 2), dtype=np.float32)
    for index in np.unique(ids[ids >= 0]):
        before, after = scene.placement(int(index), t0), scene.placement(int(index), t1)
        if abs(np.linalg.det(before[:, :2])) < 1e-9:
            continue  # a part seen exactly edge-on has no area to move
        here = ids == index
        back = _inverse(before)
        local = points[here] @ back[:, :2].T + back[:, 2]
        flow[here] = ((local @ after[:, :2].T + after[:, 2]) - points[here]) * height
    return flow, ids
