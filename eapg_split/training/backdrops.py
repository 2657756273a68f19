"""Skies and grounds of the training world, by background and time of day."""

import random
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from eapg_split.training.geometry import Points, ellipse, polygon, rectangle
from eapg_split.training.scene import Colour, Part

HORIZON: Final = 0.08
_WIDE: Final = 4.0  # half-width of the drawn world: enough for every pan, zoom and aspect ratio

_SKIES: Final = MappingProxyType(
    {
        "day": ((105, 180, 242), (200, 230, 250)),
        "sunset": ((96, 62, 130), (252, 156, 84)),
        "night": ((12, 16, 46), (44, 54, 108)),
    }
)
_TINTS: Final = MappingProxyType(
    {"day": (1.0, 1.0, 1.0), "sunset": (0.95, 0.74, 0.66), "night": (0.42, 0.47, 0.66)}
)


def tinted(colour: Colour, time: str) -> Colour:
    """A backdrop colour in the light of that time of day."""
    r, g, b = (round(c * f) for c, f in zip(colour, _TINTS[time], strict=True))
    return (r, g, b)


def sky(background: str, time: str) -> tuple[Colour, Colour]:
    if background == "underwater":
        return tinted((60, 170, 200), time), tinted((16, 70, 130), time)
    if background == "room":
        return tinted((236, 214, 178), time), tinted((226, 200, 160), time)
    return _SKIES[time]


def _ground(colour: Colour, time: str, top: float = HORIZON) -> Part:
    return Part((rectangle(-_WIDE, top, _WIDE, 1.2),), tinted(colour, time))


def _light(time: str, rng: random.Random) -> list[Part]:
    """Sun or moon, and stars at night."""
    x = rng.uniform(-0.65, 0.65)
    if time == "day":
        return [Part((ellipse(x, -0.34, 0.075, 0.075),), (255, 236, 120), depth=0.05)]
    if time == "sunset":
        return [Part((ellipse(x, HORIZON - 0.05, 0.13, 0.13),), (255, 208, 96), depth=0.05)]
    stars = tuple(
        ellipse(rng.uniform(-1.0, 1.0), rng.uniform(-0.5, 0.0), 0.007, 0.007, corners=6) for _ in range(16)
    )
    return [
        Part(stars, (230, 230, 240), depth=0.05),
        Part((ellipse(x, -0.33, 0.07, 0.07),), (244, 240, 214), depth=0.05),
    ]


def _row(rng: random.Random, gap: float, shape: Callable[[float, float], list[Points]]) -> list[list[Points]]:
    """The same thing again and again along the horizon, each at its own size."""
    x = -_WIDE + rng.uniform(0, gap)
    rows = []
    while x < _WIDE:
        rows.append(shape(x, rng.uniform(0.8, 1.2)))
        x += gap * rng.uniform(0.75, 1.3)
    return rows


def _flat(rows: list[list[Points]], which: int) -> tuple[Points, ...]:
    return tuple(row[which] for row in rows)


def _hills(colour: Colour, time: str, rng: random.Random, height: float, gap: float) -> Part:
    rows = _row(rng, gap, lambda x, s: [ellipse(x, HORIZON + 0.02, gap * 0.75, height * s)])
    return Part(_flat(rows, 0), tinted(colour, time), depth=0.4)


def _meadow(time: str, rng: random.Random) -> list[Part]:
    trees = _row(
        rng, 0.95, lambda x, s: [rectangle(x - 0.012, HORIZON - 0.08 * s, x + 0.012, HORIZON + 0.03),
                                 ellipse(x, HORIZON - 0.12 * s, 0.07 * s, 0.085 * s)]
    )  # fmt: skip
    return [
        _hills((134, 186, 104), time, rng, 0.13, 1.1),
        _ground((112, 176, 76), time),
        Part(_flat(trees, 0), tinted((116, 82, 52), time), depth=0.8),
        Part(_flat(trees, 1), tinted((62, 128, 62), time), depth=0.8),
    ]


def _beach(time: str, rng: random.Random) -> list[Part]:
    palms = _row(
        rng, 1.5, lambda x, s: [rectangle(x - 0.014, HORIZON - 0.18 * s, x + 0.014, HORIZON + 0.12),
                                polygon((x - 0.13, HORIZON - 0.12), (x, HORIZON - 0.24 * s),
                                        (x + 0.13, HORIZON - 0.12), (x, HORIZON - 0.17 * s))]
    )  # fmt: skip
    return [
        Part((rectangle(-_WIDE, HORIZON - 0.1, _WIDE, 0.3),), tinted((60, 140, 200), time), depth=0.5),
        _ground((238, 218, 164), time, HORIZON + 0.04),
        Part(_flat(palms, 0), tinted((130, 96, 60), time), depth=0.8),
        Part(_flat(palms, 1), tinted((56, 140, 74), time), depth=0.8),
    ]


def _snow(time: str, rng: random.Random) -> list[Part]:
    pines = _row(
        rng, 0.7, lambda x, s: [polygon((x - 0.075, HORIZON + 0.03), (x, HORIZON - 0.22 * s),
                                        (x + 0.075, HORIZON + 0.03))]
    )  # fmt: skip
    return [
        _hills((214, 224, 238), time, rng, 0.15, 1.2),
        _ground((238, 242, 250), time),
        Part(_flat(pines, 0), tinted((54, 104, 84), time), depth=0.8),
    ]


def _desert(time: str, rng: random.Random) -> list[Part]:
    cacti = _row(
        rng, 1.2, lambda x, s: [rectangle(x - 0.02, HORIZON - 0.15 * s, x + 0.02, HORIZON + 0.04),
                                rectangle(x - 0.06, HORIZON - 0.08 * s, x + 0.06, HORIZON - 0.05 * s)]
    )  # fmt: skip
    return [
        _hills((236, 190, 120), time, rng, 0.1, 1.4),
        _ground((226, 176, 104), time),
        Part(_flat(cacti, 0) + _flat(cacti, 1), tinted((70, 130, 70), time), depth=0.8),
    ]


def _street(time: str, rng: random.Random) -> list[Part]:
    houses = _row(
        rng, 0.42, lambda x, s: [rectangle(x - 0.18, HORIZON - 0.26 * s, x + 0.18, HORIZON + 0.06),
                                 rectangle(x - 0.1, HORIZON - 0.18 * s, x - 0.04, HORIZON - 0.1 * s),
                                 rectangle(x + 0.04, HORIZON - 0.18 * s, x + 0.1, HORIZON - 0.1 * s)]
    )  # fmt: skip
    walls = ((196, 150, 128), (176, 176, 186), (206, 186, 150))
    window = (250, 226, 130) if time == "night" else tinted((150, 190, 214), time)
    fronts = [
        Part(_flat(houses[i::3], 0), tinted(walls[i], time), depth=0.7) for i in range(3) if houses[i::3]
    ]
    dashes = tuple(rectangle(x, 0.37, x + 0.16, 0.385) for x in np.arange(-_WIDE, _WIDE, 0.4))
    return [
        *fronts,
        Part(_flat(houses, 1) + _flat(houses, 2), window, depth=0.7),
        _ground((190, 184, 176), time),
        Part((rectangle(-_WIDE, HORIZON + 0.08, _WIDE, 1.2),), tinted((112, 112, 118), time)),
        Part(dashes, tinted((236, 236, 226), time)),
    ]


def _mountains(time: str, rng: random.Random) -> list[Part]:
    peaks = _row(
        rng, 0.75, lambda x, s: [polygon((x - 0.5, HORIZON + 0.02), (x, HORIZON - 0.34 * s),
                                         (x + 0.5, HORIZON + 0.02)),
                                 polygon((x - 0.118, HORIZON - 0.255 * s), (x, HORIZON - 0.34 * s),
                                         (x + 0.118, HORIZON - 0.255 * s))]
    )  # fmt: skip
    return [
        Part(_flat(peaks, 0), tinted((118, 128, 154), time), depth=0.35),
        Part(_flat(peaks, 1), tinted((240, 244, 250), time), depth=0.35),
        _ground((96, 142, 84), time),
    ]


def _sea(time: str, rng: random.Random) -> list[Part]:
    waves = tuple(
        ellipse(rng.uniform(-_WIDE, _WIDE), rng.uniform(0.14, 0.48), 0.1, 0.008, corners=12)
        for _ in range(48)
    )
    return [_ground((44, 112, 184), time, 0.05), Part(waves, tinted((110, 168, 216), time))]


def _underwater(time: str, rng: random.Random) -> list[Part]:
    weeds = _row(
        rng, 0.5, lambda x, s: [polygon((x - 0.03, 0.4), (x - 0.01, 0.4 - 0.26 * s), (x + 0.03, 0.4))]
    )  # fmt: skip
    return [
        Part(_flat(weeds, 0), tinted((40, 140, 96), time), depth=0.8),
        _ground((206, 190, 140), time, 0.38),
    ]


def _room(time: str, rng: random.Random) -> list[Part]:
    x = rng.uniform(-0.6, 0.6)
    pane = _SKIES[time][0]
    return [
        Part((rectangle(x - 0.2, -0.38, x + 0.2, -0.06),), tinted((250, 250, 246), time), depth=0.7),
        Part((rectangle(x - 0.17, -0.35, x - 0.01, -0.09), rectangle(x + 0.01, -0.35, x + 0.17, -0.09)),
             pane, depth=0.7),
        _ground((160, 108, 70), time, 0.16),
    ]  # fmt: skip


def _downtown(time: str, rng: random.Random) -> list[Part]:
    """Only the road: the buildings belong to the subject of the city scene."""
    return [_ground((84, 84, 94), time, 0.22)]


_GROUNDS: Final = MappingProxyType(
    {
        "meadow": _meadow, "beach": _beach, "snow": _snow, "desert": _desert, "street": _street,
        "mountains": _mountains, "sea": _sea, "underwater": _underwater, "room": _room, "downtown": _downtown,
    }
)  # fmt: skip


def backdrop(background: str, time: str, rng: random.Random, *, afloat: bool = False) -> list[Part]:
    """The parts behind the subject, far to near; `afloat` turns the ground before the mountains into a lake."""
    light = [] if background in ("underwater", "room") else _light(time, rng)
    parts = light + _GROUNDS[background](time, rng)
    if afloat and background == "mountains":
        parts[-1] = _ground((52, 118, 178), time)
    return parts
