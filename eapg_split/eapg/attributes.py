"""What a prompt can ask for: the closed world that the shipped model was trained on.

One table serves the captions of the training world, the text encoder's heads and the sentence that tells a
person what was understood, so that the three cannot drift apart.
"""

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

SCENES: Final = ("cat", "car", "ball", "bird", "boat", "city", "balloon", "fish", "train", "rocket")
COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
DIRECTIONS: Final = ("left", "right", "up", "down")
SPEEDS: Final = ("slow", "normal", "fast")
BACKGROUNDS: Final = (
    "meadow", "beach", "snow", "desert", "street", "mountains", "sea", "underwater", "room", "downtown",
)  # fmt: skip
TIMES: Final = ("day", "sunset", "night")
CAMERAS: Final = ("static", "pan", "zoom-in", "zoom-out")

VALUES: Final = MappingProxyType(
    {
        "scene": SCENES,
        "colour": COLOURS,
        "direction": DIRECTIONS,
        "speed": SPEEDS,
        "background": BACKGROUNDS,
        "time": TIMES,
        "camera": CAMERAS,
    }
)

SCENE_BACKGROUNDS: Final = MappingProxyType(
    {
        "cat": ("meadow", "beach", "snow", "street"),
        "car": ("street", "desert", "snow", "mountains"),
        "ball": ("meadow", "beach", "street", "room"),
        "bird": ("mountains", "sea", "meadow"),
        "boat": ("sea", "mountains"),
        "city": ("downtown",),
        "balloon": ("meadow", "mountains", "desert"),
        "fish": ("underwater",),
        "train": ("meadow", "mountains", "snow", "desert"),
        "rocket": ("desert", "sea", "mountains"),
    }
)
SCENE_DIRECTIONS: Final = MappingProxyType(
    {
        "cat": ("left", "right"),
        "car": ("left", "right"),
        "ball": ("left", "right"),
        "bird": ("left", "right"),
        "boat": ("left", "right"),
        "city": ("left", "right"),
        "balloon": ("left", "right", "up"),
        "fish": ("left", "right"),
        "train": ("left", "right"),
        "rocket": ("up", "down"),
    }
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """One choice per attribute; `None` where a caption says nothing about it."""

    scene: str | None = None
    colour: str | None = None
    direction: str | None = None
    speed: str | None = None
    background: str | None = None
    time: str | None = None
    camera: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value not in VALUES[field.name]:
                known = ", ".join(VALUES[field.name])
                raise ValueError(f"{field.name}={value!r} is not known; use one of {known}")
