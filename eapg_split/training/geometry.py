"""Outlines and rigid motions for the training world.

World units: the frame is 1 high, x and y are 0 in its middle, y grows downwards. An affine is a (2, 3) array
that maps local coordinates to world coordinates.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Affine = NDArray[np.float64]
Motion = Callable[[float], Affine]


def ellipse(cx: float, cy: float, rx: float, ry: float, *, corners: int = 28) -> Points:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1)


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def polygon(*points: tuple[float, float]) -> Points:
    return np.array(points, dtype=np.float64)


def rounded(x0: float, y0: float, x1: float, y1: float, *, radius: float) -> Points:
    """A rectangle with round corners."""
    quarter = np.linspace(0, np.pi / 2, 6)
    centres = (
        (x1 - radius, y1 - radius, 0.0), (x0 + radius, y1 - radius, np.pi / 2),
        (x0 + radius, y0 + radius, np.pi), (x1 - radius, y0 + radius, 1.5 * np.pi),
    )  # fmt: skip
    arcs = [
        np.stack([cx + radius * np.cos(quarter + a), cy + radius * np.sin(quarter + a)], axis=1)
        for cx, cy, a in centres
    ]
    return np.concatenate(arcs)


def affine(
    x: float = 0.0, y: float = 0.0, *, turn: float = 0.0, scale: tuple[float, float] = (1.0, 1.0)
) -> Affine:
    """Scale, then turn by `turn` radians (clockwise on the screen), then move to (x, y)."""
    cos, sin = np.cos(turn), np.sin(turn)
    return np.array([[cos * scale[0], -sin * scale[1], x], [sin * scale[0], cos * scale[1], y]])


def compose(outer: Affine, inner: Affine) -> Affine:
    """The affine that applies `inner` first."""
    linear = outer[:, :2] @ inner[:, :2]
    shift = outer[:, :2] @ inner[:, 2] + outer[:, 2]
    return np.concatenate([linear, shift[:, None]], axis=1)


def still(at: Affine | None = None) -> Motion:
    fixed = affine() if at is None else at
    return lambda _t: fixed


def jointed(body: Motion, joint: tuple[float, float], turn: Callable[[float], float]) -> Motion:
    """A limb that hangs at `joint` of the body (body coordinates) and turns about it."""
    return lambda t: compose(body(t), affine(*joint, turn=turn(t)))


def mirrored(points: Sequence[Points]) -> list[Points]:
    """The same outlines looking the other way."""
    return [p * np.array([-1.0, 1.0]) for p in points]
