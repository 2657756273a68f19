"""The procedural captioned world: attributes and a seed become a scene that can be drawn at any size and moment."""

import random
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from eapg_split.eapg.attributes import (
    CAMERAS,
    COLOURS,
    SCENE_BACKGROUNDS,
    SCENE_DIRECTIONS,
    SCENES,
    SPEEDS,
    TIMES,
    Attributes,
)  # fmt: skip
from eapg_split.training.backdrops import backdrop, sky
from eapg_split.training.geometry import Affine, Motion, affine
from eapg_split.training.raster import render, render_flow, render_parts
from eapg_split.training.scene import Camera, Scene
from eapg_split.training.subjects import PALETTE, SUBJECTS, Actor

__all__ = ["Scene", "complete", "render", "render_flow", "render_parts", "sample_scene"]

_SPEED_ACROSS: Final = MappingProxyType(
    {"slow": 0.055, "normal": 0.105, "fast": 0.165}
)  # frame widths a second
_SPEED_UPWARDS: Final = MappingProxyType(
    {"slow": 0.07, "normal": 0.115, "fast": 0.165}
)  # frame heights a second
_CYCLES: Final = MappingProxyType({"slow": 1.1, "normal": 1.6, "fast": 2.2})  # gait, wing beats, ... a second
_LEVEL: Final = MappingProxyType(  # height of the subject's origin in the frame
    {"cat": 0.2, "car": 0.22, "ball": 0.22, "bird": -0.14, "boat": 0.14, "city": 0.31,
     "balloon": -0.12, "fish": -0.02, "train": 0.14, "rocket": -0.02}
)  # fmt: skip
_LONGEST_CROSSING_S: Final = 5.0
# how often each of SCENES is drawn: legs, wings and bounces take more practice than a hull
_DIFFICULTY: Final = (5.0, 1.5, 2.0, 2.0, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0)
_LAYOUTS: Final = 1


def complete(attributes: Attributes, rng: random.Random) -> Attributes:
    """Draws what a caption left open, so that scene, background and direction go together.

    Raises ValueError when the given values do not go together (a fish in the desert).
    """
    scene = attributes.scene or rng.choices(SCENES, _DIFFICULTY)[0]
    for name, allowed in (("background", SCENE_BACKGROUNDS[scene]), ("direction", SCENE_DIRECTIONS[scene])):
        value = getattr(attributes, name)
        if value is not None and value not in allowed:
            raise ValueError(
                f"{name}={value!r} does not go with scene={scene!r}; use one of {', '.join(allowed)}"
            )
    places = SCENE_BACKGROUNDS[scene]
    usual = "night" if scene == "city" and rng.random() < 0.7 else rng.choices(TIMES, (0.6, 0.2, 0.2))[0]
    return Attributes(
        scene=scene,
        colour=attributes.colour or rng.choice(COLOURS),
        direction=attributes.direction or rng.choice(SCENE_DIRECTIONS[scene]),
        speed=attributes.speed or rng.choice(SPEEDS),
        background=attributes.background or rng.choices(places, (1.5, *(1.0 for _ in places[1:])))[0],
        time=attributes.time or usual,
        camera=attributes.camera or rng.choices(CAMERAS, (0.82, 0.06, 0.06, 0.06))[0],
    )


def _camera(attributes: Attributes, duration_s: float, tracking: float) -> Camera:
    zooms = {"zoom-in": (1.0, 1.3), "zoom-out": (1.3, 1.0)}
    start, stop = zooms.get(attributes.camera or "", (1.0, 1.0))
    heading = {"left": -1.0, "right": 1.0}.get(attributes.direction or "", 1.0)
    pan = 0.09 * heading if attributes.camera == "pan" else 0.0
    return Camera(speed=pan + tracking, zoom_start=start, zoom_stop=stop, duration_s=duration_s)


def _body(attributes: Attributes, rng: random.Random, camera: Camera, aspect: float) -> Motion:
    """Where the subject is: half-way along its path in the middle of the clip, ahead of the camera's own move."""
    scene, duration = str(attributes.scene), camera.duration_s
    size = rng.uniform(0.95, 1.1)
    level = _LEVEL[scene] + rng.uniform(-0.015, 0.015)
    middle_x = rng.uniform(-0.04, 0.04) * aspect
    pace = min(1.0, _LONGEST_CROSSING_S / duration)
    across = {"left": -1.0, "right": 1.0}.get(str(attributes.direction), 0.0)
    upwards = {"up": -1.0, "down": 1.0}.get(str(attributes.direction), 0.0)
    speed_x = across * _SPEED_ACROSS[str(attributes.speed)] * aspect * pace + camera.speed
    speed_y = upwards * _SPEED_UPWARDS[str(attributes.speed)] * pace
    facing = across or 1.0
    hop = {"ball": 0.3, "boat": 0.012, "fish": 0.03, "bird": 0.02, "balloon": 0.012, "cat": 0.012}.get(
        scene, 0.0
    )
    beat = _CYCLES[str(attributes.speed)] * (0.5 if scene == "ball" else 2.0 if scene == "cat" else 0.7)
    phase = rng.random()

    def at(t: float) -> Affine:
        turn = 2 * np.pi * (beat * t + phase)
        lift = hop * (abs(float(np.sin(turn / 2))) if scene in ("ball", "cat") else float(np.sin(turn)))
        x = middle_x + speed_x * (t - duration / 2)
        y = level - lift + speed_y * (t - duration / 2)
        return affine(x, y, scale=(facing * size, size))

    return at


def sample_scene(
    attributes: Attributes, seed: int, *, duration_s: float = 5.0, aspect: float = 16 / 9
) -> Scene:
    """The scene for these attributes; what they leave open, and the layout, follow from the seed."""
    rng = random.Random(f"eapg-world-{seed}")
    chosen = complete(attributes, rng)
    scene = str(chosen.scene)
    # a long clip is followed by the camera, so that the subject stays in the picture
    excess = max(0.0, 1 - _LONGEST_CROSSING_S / duration_s)
    heading = {"left": -1.0, "right": 1.0}.get(str(chosen.direction), 0.0)
    tracking = heading * _SPEED_ACROSS[str(chosen.speed)] * aspect * excess
    camera = _camera(chosen, duration_s, tracking)
    rate = _CYCLES[str(chosen.speed)]
    start = rng.random()
    # few layouts a background, not endless ones: a small model learns places that it meets again
    layout = random.Random(f"eapg-layout-{chosen.background}-{rng.randrange(_LAYOUTS)}")
    actor = Actor(
        colour=PALETTE[str(chosen.colour)],
        body=_body(chosen, rng, camera, aspect),
        phase=lambda t: rate * t + start,
        rng=layout,
        night=chosen.time == "night",
    )
    back = backdrop(str(chosen.background), str(chosen.time), layout, afloat=scene == "boat")
    subject = SUBJECTS[scene](actor)
    return Scene(
        attributes=replace(chosen),
        duration_s=duration_s,
        sky=sky(str(chosen.background), str(chosen.time)),
        parts=tuple(back + subject),
        camera=camera,
        subject=range(len(back), len(back) + len(subject)),
    )
