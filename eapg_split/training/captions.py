"""Captions of the procedural world, in English and in Chinese.

A caption says exactly the attributes that are not `None`, in the words of `eapg_split.eapg.words`, so
`understand(caption(a, rng)).attributes == a`. Some captions carry a word that means nothing to the model:
prompts will too, and the text encoder has to learn to look past it.
"""

import random
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Final

from eapg_split.eapg import words
from eapg_split.eapg.attributes import COLOURS, SCENE_DIRECTIONS, SCENES, Attributes
from eapg_split.training.captions_en import english
from eapg_split.training.captions_zh import chinese

# How often a training caption mentions an attribute that the clip has.
MENTIONED: Final = MappingProxyType(
    {
        "scene": 0.97,
        "colour": 0.75,
        "direction": 0.65,
        "speed": 0.25,
        "background": 0.4,
        "time": 0.4,
        "camera": 0.3,
    }
)
_BARE: Final = 0.2


def caption(attributes: Attributes, rng: random.Random) -> str:
    """One caption of `attributes`, English or Chinese with equal chance; every draw comes from `rng`."""
    return english(attributes, rng) if rng.random() < 0.5 else chinese(attributes, rng)


def mention(attributes: Attributes, rng: random.Random) -> Attributes:
    """What a caption says of a clip: `attributes` with some of them left out (set to `None`).

    One time in five little is left: the scene, or the scene and its colour, as in the prompts of a hurry.
    """
    if rng.random() < _BARE:
        colour = attributes.colour if rng.random() < 0.6 else None
        night = attributes.scene == "city" and attributes.time == "night" and rng.random() < 0.7
        return Attributes(scene=attributes.scene, colour=colour, time="night" if night else None)
    dropped = {field.name: None for field in fields(attributes) if rng.random() >= MENTIONED[field.name]}
    return replace(attributes, **dropped)


# One phrasing a line; none of them is the only one that training shows, and the last ones it never shows.
_ASKED_EN: Final = (
    "A {colour} {noun} {verb} {direction}",
    "the {colour} {noun} is {verb} {direction}.",
    "A video of {article} {colour} {noun} {verb} {direction}",
    "The {noun} is {colour} and it is {verb} {direction}",
    "I would like to see {article} {colour} {noun} {verb} {direction}, please",
)
_ASKED_ZH: Final = (
    "一{counter}{colour}的{noun}{direction}{verb}",
    "{colour}{noun}正在{direction}{verb}。",
    "{direction}{verb}的{colour}{noun}",
    "这{counter}{noun}是{colour}的，它{direction}{verb}",
    "我想看一{counter}{colour}{noun}{direction}{verb}的视频",
)


def evaluation_prompts() -> list[tuple[str, str, Attributes]]:
    """The fixed prompts of the quality benchmark: (prompt, language, what it asks for).

    For every scene and language five prompts that name scene, colour and direction, each in another
    phrasing and colour; after these the bare prompts ("a car", "红色的汽车", "城市夜景").
    """
    asked: list[tuple[str, str, Attributes]] = []
    for number, scene in enumerate(SCENES):
        asked += [_asked(language, scene, number, index) for language in ("en", "zh") for index in range(5)]
    asked += [("A cat running", "en", Attributes(scene="cat"))]
    asked += [("城市夜景", "zh", Attributes(scene="city", time="night"))]
    asked += [("night view of a city", "en", Attributes(scene="city", time="night"))]
    for number, scene in enumerate(SCENES):
        colour = COLOURS[(3 * number) % len(COLOURS)]
        english_noun, chinese_noun = words.ENGLISH["scene"][scene][0], words.CHINESE["scene"][scene][0]
        named = Attributes(scene=scene, colour=colour)
        asked += [(f"a {english_noun}", "en", Attributes(scene=scene))]
        asked += [(f"{_article(colour)} {colour} {english_noun}", "en", named)]
        asked += [(chinese_noun, "zh", Attributes(scene=scene))]
        asked += [(f"{words.CHINESE['colour'][colour][0]}的{chinese_noun}", "zh", named)]
    return asked


def _asked(language: str, scene: str, number: int, index: int) -> tuple[str, str, Attributes]:
    # Strides coprime to the number of colours give each scene five colours, and other ones in each language.
    offset = 0 if language == "en" else 1
    colour = COLOURS[(number + 3 * index + offset) % len(COLOURS)]
    directions = SCENE_DIRECTIONS[scene]
    direction = directions[(number + index + offset) % len(directions)]
    tables = words.ENGLISH if language == "en" else words.CHINESE
    verbs = words.ENGLISH_VERBS if language == "en" else words.CHINESE_VERBS
    english_side = language == "en" and direction in ("left", "right")  # "to the left", not "left"
    template = (_ASKED_EN if language == "en" else _ASKED_ZH)[index]
    prompt = template.format(
        colour=(word := tables["colour"][colour][0]),
        article=_article(word),
        noun=tables["scene"][scene][0],
        verb=verbs[scene][0],
        direction=tables["direction"][direction][1 if english_side else 0],
        counter=words.CHINESE_COUNTERS[scene],
    )
    if template.startswith("A {colour}"):
        prompt = _article(word).capitalize() + prompt[1:]
    return prompt, language, Attributes(scene=scene, colour=colour, direction=direction)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
