"""A scene of the training world: coloured parts with exact motion, and the camera that looks at them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eapg_split.eapg.attributes import Attributes
from eapg_split.training.geometry import Affine, Motion, Points, compose, still

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """Outlines of one colour that move as one rigid (or affinely scaled) body.

    `depth` is the parallax: 1 moves fully with the camera, 0 stays put like the sky.
    """

    outlines: tuple[Points, ...]
    colour: Colour
    motion: Motion = field(default_factory=still)
    depth: float = 1.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera looks: it moves at `speed` world units a second and zooms linearly in time."""

    speed: float = 0.0
    zoom_start: float = 1.0
    zoom_stop: float = 1.0
    duration_s: float = 5.0

    def at(self, t: float, depth: float) -> Affine:
        """World to view, (2, 3), for a part at this depth."""
        share = min(max(t / self.duration_s, 0.0), 1.0)
        zoom = 1 + depth * (self.zoom_start + (self.zoom_stop - self.zoom_start) * share - 1)
        shift = -zoom * depth * self.speed * (t - self.duration_s / 2)
        return np.array([[zoom, 0.0, shift], [0.0, zoom, 0.0]])


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a render needs; the sky is a vertical gradient behind all parts."""

    attributes: Attributes
    duration_s: float
    sky: tuple[Colour, Colour]
    parts: tuple[Part, ...]
    camera: Camera
    subject: range  # indices of the parts that belong to the subject

    def placement(self, part: int, t: float) -> Affine:
        """Local coordinates of a part to the view at time t."""
        chosen = self.parts[part]
        return compose(self.camera.at(t, chosen.depth), chosen.motion(t))

    def track(self, part: int, point: tuple[float, float], times: NDArray[np.float64]) -> Points:
        """Exact view positions (len(times), 2) of one material point of a part."""
        places = [self.placement(part, float(t)) for t in times]
        return np.array([m[:, :2] @ np.array(point) + m[:, 2] for m in places])
