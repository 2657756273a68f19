"""The ten subjects of the training world, each a handful of rigid parts driven by one phase.

A subject is drawn looking right around its own origin; the body motion mirrors and moves it. `phase(t)` counts
cycles (steps of a run, beats of a wing), so that articulation keeps pace with speed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from eapg_split.training.geometry import (
    Motion,
    affine,
    compose,
    ellipse,
    jointed,
    polygon,
    rectangle,
    rounded,
)  # fmt: skip
from eapg_split.training.scene import Colour, Part

PALETTE: Final = MappingProxyType(
    {
        "red": (222, 40, 44), "orange": (246, 138, 30), "yellow": (252, 222, 48), "green": (40, 186, 70),
        "blue": (46, 88, 232), "purple": (156, 60, 200), "white": (248, 248, 248), "black": (34, 34, 40),
    }
)  # fmt: skip
_WHITE: Final = (250, 250, 250)
_INK: Final = (30, 30, 36)


@dataclass(frozen=True, slots=True)
class Actor:
    """What a subject is drawn from: its colour, where its body is, and how far its cycle has run."""

    colour: Colour
    body: Motion
    phase: Callable[[float], float]
    rng: random.Random
    night: bool = False


def _shade(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(255, round(c * factor + (26 if factor < 1 and max(colour) < 60 else 0))) for c in colour)
    return (r, g, b)


def _swing(phase: Callable[[float], float], reach: float, lag: float) -> Callable[[float], float]:
    return lambda t: reach * float(np.sin(2 * np.pi * (phase(t) + lag)))


def cat(actor: Actor) -> list[Part]:
    dark = _shade(actor.colour, 0.72)
    leg = rounded(-0.026, -0.02, 0.026, 0.155, radius=0.024)
    hips = ((-0.13, 0.07), (-0.1, 0.07), (0.1, 0.07), (0.13, 0.07))
    lags = (0.0, 0.5, 0.55, 0.05)
    legs = [
        Part(
            (leg,),
            dark if i in (0, 2) else actor.colour,
            jointed(actor.body, hip, _swing(actor.phase, 0.65, lag)),
        )
        for i, (hip, lag) in enumerate(zip(hips, lags, strict=True))
    ]
    tail = polygon((0.0, 0.02), (-0.07, -0.05), (-0.1, -0.17), (-0.07, -0.18), (-0.035, -0.07), (0.03, -0.02))
    tail_part = Part((tail,), dark, jointed(actor.body, (-0.16, -0.02), _swing(actor.phase, 0.25, 0.2)))
    trunk = ellipse(0.0, 0.02, 0.19, 0.088)
    head = ellipse(0.2, -0.085, 0.088, 0.08)
    ears = (
        polygon((0.13, -0.13), (0.145, -0.22), (0.195, -0.155)),
        polygon((0.21, -0.155), (0.262, -0.22), (0.275, -0.13)),
    )
    eyes = (ellipse(0.2, -0.1, 0.014, 0.02, corners=10), ellipse(0.25, -0.1, 0.014, 0.02, corners=10))
    eye = _WHITE if max(actor.colour) < 60 else _INK
    return [
        tail_part, legs[0], legs[2],
        Part((trunk, head, *ears), actor.colour, actor.body),
        legs[1], legs[3],
        Part(eyes, eye, actor.body),
    ]  # fmt: skip


def _wheel(actor: Actor, x: float, y: float, radius: float) -> list[Part]:
    hub = jointed(actor.body, (x, y), lambda t: 2 * np.pi * actor.phase(t))
    spokes = rectangle(-radius * 0.72, -radius * 0.16, radius * 0.72, radius * 0.16)
    return [Part((ellipse(0, 0, radius, radius),), _INK, hub), Part((spokes,), (200, 200, 205), hub)]


def car(actor: Actor) -> list[Part]:
    pane = (255, 240, 170) if actor.night else (196, 226, 240)
    return [
        Part((rounded(-0.29, -0.06, 0.3, 0.075, radius=0.045),), actor.colour, actor.body),
        Part((polygon((-0.19, -0.05), (-0.12, -0.165), (0.08, -0.165), (0.17, -0.05)),), actor.colour, actor.body),
        Part((polygon((-0.15, -0.055), (-0.1, -0.14), (-0.035, -0.14), (-0.035, -0.055)),
              polygon((-0.005, -0.055), (-0.005, -0.14), (0.065, -0.14), (0.13, -0.055))), pane, actor.body),
        Part((ellipse(0.28, 0.0, 0.022, 0.026, corners=12),), (255, 244, 190), actor.body),
        *_wheel(actor, -0.17, 0.08, 0.066),
        *_wheel(actor, 0.18, 0.08, 0.066),
    ]  # fmt: skip


def ball(actor: Actor) -> list[Part]:
    rolling = jointed(actor.body, (0.0, 0.0), lambda t: 2 * np.pi * actor.phase(t))
    stripe = _WHITE if min(actor.colour) < 200 else (120, 120, 130)
    return [
        Part((ellipse(0, 0, 0.135, 0.135, corners=40),), actor.colour, rolling),
        Part(
            (rectangle(-0.125, -0.026, 0.125, 0.026), rectangle(-0.026, -0.125, 0.026, 0.125)),
            stripe,
            rolling,
        ),
    ]


def bird(actor: Actor) -> list[Part]:
    dark = _shade(actor.colour, 0.75)
    eye = _WHITE if max(actor.colour) < 60 else _INK
    wing = polygon((-0.07, 0.0), (-0.13, -0.2), (-0.05, -0.21), (0.07, 0.0))

    def beating(lag: float) -> Motion:
        def at(t: float) -> np.ndarray:
            lift = float(np.cos(2 * np.pi * (actor.phase(t) + lag)))
            return compose(actor.body(t), affine(0.0, -0.02, scale=(1.0, 0.15 + 0.85 * lift)))

        return at

    return [
        Part((wing,), dark, beating(0.06)),
        Part((polygon((-0.14, 0.0), (-0.27, -0.055), (-0.25, 0.05)),), dark, actor.body),
        Part((ellipse(0, 0, 0.165, 0.07), ellipse(0.16, -0.05, 0.066, 0.06)), actor.colour, actor.body),
        Part((polygon((0.215, -0.07), (0.29, -0.035), (0.215, -0.02)),), (250, 170, 40), actor.body),
        Part((ellipse(0.18, -0.065, 0.014, 0.016, corners=10),), eye, actor.body),
        Part((wing,), actor.colour, beating(0.0)),
    ]  # fmt: skip


def boat(actor: Actor) -> list[Part]:
    return [
        Part((rectangle(-0.012, -0.34, 0.012, 0.0),), (110, 80, 56), actor.body),
        Part((polygon((0.025, -0.33), (0.025, -0.035), (0.24, -0.035)),), actor.colour, actor.body),
        Part((polygon((-0.025, -0.28), (-0.025, -0.035), (-0.17, -0.035)),), actor.colour, actor.body),
        Part((polygon((-0.25, 0.0), (0.29, 0.0), (0.2, 0.105), (-0.18, 0.105)),), (132, 82, 50), actor.body),
        Part(
            (polygon((-0.25, 0.0), (0.29, 0.0), (0.268, 0.028), (-0.232, 0.028)),), actor.colour, actor.body
        ),
    ]


def _towers(actor: Actor) -> list[Part]:
    """The skyline behind the road, windows lit in the scene's colour."""
    rng, x = actor.rng, -2.6
    shapes, windows = [], []
    while x < 2.6:
        width, top = rng.uniform(0.17, 0.27), rng.uniform(-0.4, -0.02)
        shapes.append(rectangle(x, top, x + width, 0.24))
        columns = np.linspace(x + 0.04, x + width - 0.04, 3)
        for y in np.arange(top + 0.045, 0.2, 0.075):
            windows += [rectangle(c - 0.018, y, c + 0.018, y + 0.036) for c in columns if rng.random() < 0.8]
        x += width + rng.uniform(0.0, 0.03)
    walls = ((36, 40, 64), (54, 56, 84)) if actor.night else ((120, 126, 142), (146, 148, 160))
    lit = actor.colour if max(actor.colour) > 60 else (24, 24, 28)
    return [
        Part(tuple(shapes[0::2]), walls[0], depth=0.6),
        Part(tuple(shapes[1::2]), walls[1], depth=0.6),
        Part(tuple(windows), lit, depth=0.6),
    ]


def city(actor: Actor) -> list[Part]:
    pane = (255, 240, 170)
    bus = [
        Part((rounded(-0.22, -0.11, 0.22, 0.07, radius=0.03),), actor.colour, actor.body),
        Part(tuple(rectangle(x, -0.08, x + 0.065, -0.015) for x in (-0.19, -0.1, -0.01, 0.08)), pane, actor.body),
        Part((ellipse(0.22, 0.03, 0.024, 0.024, corners=12),), (255, 250, 210), actor.body),
        *_wheel(actor, -0.13, 0.07, 0.044),
        *_wheel(actor, 0.13, 0.07, 0.044),
    ]  # fmt: skip
    return _towers(actor) + bus


def balloon(actor: Actor) -> list[Part]:
    light = _shade(actor.colour, 0.7) if max(actor.colour) > 60 else (84, 84, 92)
    return [
        Part((polygon((-0.13, 0.02), (-0.05, 0.2), (0.05, 0.2), (0.13, 0.02)), ellipse(0, -0.06, 0.17, 0.17)),
             actor.colour, actor.body),
        Part((ellipse(0, -0.06, 0.062, 0.168),), light, actor.body),
        Part((polygon((-0.045, 0.2), (-0.036, 0.24), (-0.03, 0.2)), polygon((0.045, 0.2), (0.036, 0.24), (0.03, 0.2))),
             (90, 70, 50), actor.body),
        Part((rounded(-0.05, 0.235, 0.05, 0.305, radius=0.012),), (150, 104, 60), actor.body),
    ]  # fmt: skip


def fish(actor: Actor) -> list[Part]:
    dark = _shade(actor.colour, 0.75)

    def wagging(t: float) -> np.ndarray:
        wag = 0.72 + 0.28 * float(np.sin(2 * np.pi * actor.phase(t)))
        return compose(actor.body(t), affine(-0.17, 0.0, scale=(wag, 1.0)))

    return [
        Part((polygon((0.03, 0.0), (-0.15, -0.12), (-0.11, 0.0), (-0.15, 0.12)),), dark, wagging),
        Part((polygon((-0.08, -0.08), (-0.02, -0.19), (0.09, -0.08)),
              polygon((-0.05, 0.08), (0.0, 0.16), (0.06, 0.08))), dark, actor.body),
        Part((ellipse(0, 0, 0.215, 0.118),), actor.colour, actor.body),
        Part((polygon((-0.02, 0.0), (-0.09, 0.06), (-0.03, 0.06)),), dark, actor.body),
        Part((ellipse(0.125, -0.03, 0.034, 0.034, corners=14),), _WHITE, actor.body),
        Part((ellipse(0.133, -0.03, 0.017, 0.017, corners=10),), _INK, actor.body),
    ]  # fmt: skip


def train(actor: Actor) -> list[Part]:
    pane = (255, 240, 170) if actor.night else (204, 230, 242)
    rails = Part((rectangle(-4, 0.13, 4, 0.145),), (96, 80, 70))
    engine = [
        Part(
            (rounded(0.1, -0.06, 0.4, 0.08, radius=0.03), rectangle(0.08, -0.17, 0.2, 0.08)),
            actor.colour,
            actor.body,
        ),
        Part((rectangle(0.31, -0.15, 0.36, -0.05),), _INK, actor.body),
        Part((rectangle(0.105, -0.14, 0.175, -0.07),), pane, actor.body),
    ]
    wagons = []
    for x in (-0.24, -0.57):
        wagons += [
            Part((rectangle(x - 0.15, -0.12, x + 0.15, 0.08),), actor.colour, actor.body),
            Part(
                tuple(rectangle(x + d, -0.085, x + d + 0.062, -0.015) for d in (-0.12, -0.03, 0.06)),
                pane,
                actor.body,
            ),
        ]
    links = Part((rectangle(-0.6, 0.055, 0.2, 0.075),), _INK, actor.body)
    wheels = [w for x in (-0.66, -0.48, -0.33, -0.15, 0.15, 0.31) for w in _wheel(actor, x, 0.09, 0.042)]
    return [rails, links, *wagons, *engine, *wheels]


def rocket(actor: Actor) -> list[Part]:
    dark = _shade(actor.colour, 0.72)

    def burning(t: float) -> np.ndarray:
        length = 0.85 + 0.25 * float(np.sin(2 * np.pi * actor.phase(t)))
        return compose(actor.body(t), affine(0.0, 0.17, scale=(1.0, length)))

    return [
        Part((polygon((-0.05, 0.0), (0.0, 0.2), (0.05, 0.0)),), (252, 150, 40), burning),
        Part((polygon((-0.026, 0.0), (0.0, 0.12), (0.026, 0.0)),), (255, 238, 120), burning),
        Part((polygon((-0.06, 0.05), (-0.145, 0.19), (-0.06, 0.16)),
              polygon((0.06, 0.05), (0.145, 0.19), (0.06, 0.16))), dark, actor.body),
        Part((ellipse(0, -0.1, 0.075, 0.17), rounded(-0.075, -0.11, 0.075, 0.17, radius=0.02)),
             actor.colour, actor.body),
        Part((ellipse(0, -0.07, 0.036, 0.036, corners=16),), (190, 226, 244), actor.body),
    ]  # fmt: skip


SUBJECTS: Final = MappingProxyType(
    {
        "cat": cat, "car": car, "ball": ball, "bird": bird, "boat": boat, "city": city,
        "balloon": balloon, "fish": fish, "train": train, "rocket": rocket,
    }
)  # fmt: skip
