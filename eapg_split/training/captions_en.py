"""English captions: noun phrase, verb, adverbials, in several sentence shapes."""

import random
from typing import Final

from eapg_split.eapg import words
from eapg_split.eapg.attributes import Attributes

# Words that the model does not know, as prompts have them.
DISTRACTORS: Final = (
    "cute", "happy", "little", "big", "beautiful", "lovely", "funny", "old", "shiny", "tiny", "nice", "strange",
    "lonely", "smart", "magic",
)  # fmt: skip
_STYLES: Final = ("cinematic", "4k", "high quality", "cartoon style", "masterpiece", "minimalist", "detailed")
_PREFIXES: Final = (
    "a video of", "video of", "a clip of", "a short video of", "an animation of", "a scene with", "show me",
    "a film of", "footage of",
)  # fmt: skip


def english(attributes: Attributes, rng: random.Random) -> str:
    """An English caption that says exactly the attributes that are not `None`."""
    if attributes.scene is None:
        text = _tags(attributes, rng)
    elif attributes.scene == "city" and attributes.time == "night" and rng.random() < 0.4:
        text = _night_view(attributes, rng)
    else:
        shapes = (_sentence, _sentence, _sentence, _sentence, _front, _attributive, _tags, _predicate)
        text = rng.choice(shapes)(attributes, rng)
    if rng.random() < 0.05:
        text += ", " + rng.choice(_STYLES)
    return _finish(text, rng)


def _sentence(attributes: Attributes, rng: random.Random) -> str:
    """As in "a red cat is running to the left in the snow at night, the camera zooms in"."""
    tail = [_pick("background", attributes, rng), _pick("time", attributes, rng)]
    rng.shuffle(tail)
    return _join(_prefix(rng), _clause(attributes, rng), *tail) + _camera(attributes, rng)


def _front(attributes: Attributes, rng: random.Random) -> str:
    """As in "At night, in the snow, a red cat runs to the left": place and time first."""
    head = [phrase for name in ("background", "time") if (phrase := _pick(name, attributes, rng))]
    rng.shuffle(head)
    return ", ".join([*head, _clause(attributes, rng)]) + _camera(attributes, rng)


def _attributive(attributes: Attributes, rng: random.Random) -> str:
    """As in "a running red cat, to the left, in the snow": verb before the noun, the rest in any order."""
    scene = attributes.scene or ""
    verb = rng.choice(words.ENGLISH_VERBS[scene])
    noun = _join(_pick("colour", attributes, rng), rng.choice(words.ENGLISH["scene"][scene]))
    rest = [_pick(name, attributes, rng) for name in ("direction", "speed", "background", "time", "camera")]
    rng.shuffle(rest)
    said = ", ".join([_article(f"{verb} {noun}", rng), *filter(None, rest)])
    return _join(_prefix(rng), said)


def _predicate(attributes: Attributes, rng: random.Random) -> str:
    """As in "the cat is red and is running to the left, in the snow": the colour after the noun."""
    noun = _article(rng.choice(words.ENGLISH["scene"][attributes.scene or ""]), rng)
    colour = _pick("colour", attributes, rng)
    subject = f"{noun} {rng.choice(('is', 'that is', 'which is', 'coloured'))} {colour}" if colour else noun
    text = subject + rng.choice((" and", ",", " and it")) if colour else subject
    motion = [_pick("direction", attributes, rng), _pick("speed", attributes, rng)]
    text = _join(text, rng.choice(("is ", "")) + _gerund(attributes.scene or "", rng), *motion)
    rest = [_pick(name, attributes, rng) for name in ("background", "time")]
    rng.shuffle(rest)
    return ", ".join([text, *filter(None, rest)]) + _camera(attributes, rng)


def _tags(attributes: Attributes, rng: random.Random) -> str:
    """As in "cat, red, left, snow, night": a list of tags."""
    tags = [_noun(attributes, rng)] if attributes.scene else []
    tags += [_pick("colour", attributes, rng)] if not attributes.scene else []
    for name in ("direction", "speed", "background", "time", "camera"):
        value = getattr(attributes, name)
        table = words.ENGLISH_TAGS.get(name)
        if value is not None and table is not None and rng.random() < 0.6:
            tags.append(rng.choice(table[value]))
        else:
            tags.append(_pick(name, attributes, rng))
    if rng.random() < 0.4:
        rng.shuffle(tags)
    return ", ".join(filter(None, tags)) or rng.choice(("a video", "a short film", "something", "a scene"))


def _night_view(attributes: Attributes, rng: random.Random) -> str:
    view = rng.choice(words.NIGHT_VIEWS["en"])
    noun = _join(_pick("colour", attributes, rng), rng.choice(words.ENGLISH["scene"]["city"]))
    text = rng.choice((f"{view} of {_article(noun, rng)}", f"a {view} of the {noun}", f"{noun} {view}"))
    rest = [_pick(name, attributes, rng) for name in ("direction", "speed", "background", "camera")]
    return ", ".join([text, *filter(None, rest)])


def _clause(attributes: Attributes, rng: random.Random) -> str:
    """Subject, verb, direction and speed; bare of a verb now and then when nothing is said of the motion."""
    scene = attributes.scene or ""
    subject = _noun(attributes, rng)
    moves = attributes.direction is not None or attributes.speed is not None
    if not moves and rng.random() < 0.45:
        return subject
    adverbs = [_pick("direction", attributes, rng), _pick("speed", attributes, rng)]
    rng.shuffle(adverbs)
    if moves and rng.random() < 0.05:
        return _join(subject, *adverbs)
    shape = rng.random()
    if shape < 0.55:
        return _join(subject, _gerund(scene, rng), *adverbs)
    if shape < 0.75:
        return _join(subject, "is", _gerund(scene, rng), *adverbs)
    present = (*words.ENGLISH_PRESENT[scene], *words.ENGLISH_PRESENT[scene], "moves", "goes")
    return _join(subject, rng.choice(present), *adverbs)


def _gerund(scene: str, rng: random.Random) -> str:
    own = words.ENGLISH_VERBS[scene]
    return own[0] if rng.random() < 0.4 else rng.choice((*own, *own, "moving", "going", "heading"))


def _noun(attributes: Attributes, rng: random.Random) -> str:
    scene = attributes.scene or ""
    nouns = words.ENGLISH["scene"][scene]
    noun = nouns[0] if rng.random() < 0.5 else rng.choice(nouns)
    colour = _pick("colour", attributes, rng)
    odd = rng.choice(DISTRACTORS) if rng.random() < 0.06 else ""
    if rng.random() < 0.03:
        return _join(odd, colour, words.plural(noun))
    return _article(_join(odd, colour, noun), rng)


def _article(noun: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.15:
        return noun
    if draw < 0.3:
        return f"the {noun}"
    if draw < 0.35:
        return f"one {noun}"
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _pick(name: str, attributes: Attributes, rng: random.Random) -> str:
    value = getattr(attributes, name)
    if value is None:
        return ""
    phrases = words.ENGLISH[name][value]
    return phrases[0] if rng.random() < 0.4 else rng.choice(phrases)


def _camera(attributes: Attributes, rng: random.Random) -> str:
    phrase = _pick("camera", attributes, rng)
    links = (", ", " while ", " as ") if phrase.startswith("the camera") else (", ", ", with a ", " / ")
    return rng.choice(links) + phrase if phrase else ""


def _prefix(rng: random.Random) -> str:
    return rng.choice(_PREFIXES) if rng.random() < 0.15 else ""


def _finish(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.5:
        text = text[0].upper() + text[1:]
    elif draw < 0.53:
        text = text.upper()
    elif draw < 0.56:
        text = text.title()
    return text + rng.choices(("", ".", "!"), (0.75, 0.22, 0.03))[0]


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
