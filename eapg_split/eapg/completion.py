"""Fills in what a prompt leaves open, so that every frame and every part of a frame agree on it.

The experts were trained on captions that mostly say everything. A prompt that does not say where or when would leave
each part of the picture to guess for itself; instead the seed decides once, and the person is told.
"""

import random
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from eapg_split.eapg import words
from eapg_split.eapg.attributes import SCENE_BACKGROUNDS, SCENE_DIRECTIONS, SCENES, Attributes
from eapg_split.eapg.lexicon import Understanding, understand
from eapg_split.eapg.prompt import TEXT_BYTES

_NATURAL_COLOURS: Final = MappingProxyType(
    {
        "cat": ("orange",),
        "car": ("red", "blue"),
        "ball": ("red", "blue", "purple"),
        "bird": ("blue", "red", "yellow"),
        "boat": ("white", "red"),
        "city": ("yellow", "orange"),
        "balloon": ("red", "orange", "purple"),
        "fish": ("orange", "yellow"),
        "train": ("red", "green", "blue"),
        "rocket": ("white", "red"),
    }
)
_ORDER: Final = ("scene", "colour", "direction", "speed", "background", "time", "camera")


@dataclass(frozen=True, slots=True)
class Completion:
    """A prompt as the text encoder reads it, what was understood of it, and what was assumed."""

    text: str
    understanding: Understanding
    assumed: Attributes

    def sentence(self) -> str:
        """One line for the person who wrote the prompt."""
        named = [f"{name} {value}" for name, value in asdict(self.assumed).items() if value is not None]
        heard = self.understanding.sentence()
        return f"{heard}; assumed: {', '.join(named)}" if named else heard


def usual(attributes: Attributes, seed: int) -> Attributes:
    """What goes with these attributes where they say nothing; a pure function of both."""
    rng = random.Random(f"eapg-completion-{seed}")
    scene = attributes.scene or rng.choice(SCENES)
    guess = Attributes(
        scene=scene,
        colour=rng.choice(_NATURAL_COLOURS[scene]),
        direction=rng.choice(SCENE_DIRECTIONS[scene][:2]),
        speed="normal",
        background=SCENE_BACKGROUNDS[scene][0],
        time="night" if scene == "city" else "day",
        camera="static",
    )
    said = asdict(attributes)
    return Attributes(**{name: value for name, value in asdict(guess).items() if said[name] is None})


def phrase(assumed: Attributes) -> str:
    """The assumed values in English, as captions put them: "orange, to the left, in a meadow"."""
    chosen = asdict(assumed)
    texts = [
        words.ENGLISH[name][value][1 if name == "direction" and value in ("left", "right") else 0]
        for name in _ORDER
        if (value := chosen[name]) is not None
    ]
    return ", ".join(texts)


def joined(prompt: str, extra: str) -> str:
    """Prompt and completion within what the encoder reads; a long prompt gives way at its end."""
    if not extra:
        return prompt
    room = TEXT_BYTES - len(extra) - 2
    kept = prompt.rstrip(" .。!！,，;；").encode()[:room].decode(errors="ignore")
    return f"{kept}, {extra}"


def complete_prompt(prompt: str, seed: int) -> Completion:
    """Reads a prompt and settles what it leaves open; never fails, whatever the text."""
    understanding = understand(prompt)
    assumed = usual(understanding.attributes, seed)
    return Completion(joined(prompt.strip(), phrase(assumed)), understanding, assumed)
