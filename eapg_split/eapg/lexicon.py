"""Reads a prompt for what the model can draw, and for what it cannot.

This decides nothing about the picture: the text encoder reads the prompt itself. It exists so that a person
is told what was understood and what was ignored instead of wondering about the result.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from eapg_split.eapg import words
from eapg_split.eapg.attributes import SCENES, VALUES, Attributes

_HAN: Final = "\u3400-\u9fff"
_TOKEN: Final = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+(?:['’-][^\W_{_HAN}]+)*")
# "在草地上": the suffix belongs to the place, unless it begins "上升" (rises).
_PLACE_SUFFIX: Final = re.compile("上(?!升(?!空))|[里中间]")
_SHOWN_WORDS: Final = 12

# The kinds of phrases beside the attributes: a motion that belongs to some scenes, no wish at all, not ours.
_VERB: Final = "verb"
_STOP: Final = "stop"
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Match:
    """One phrase of the prompt, characters `start` to `stop`, and the attribute value that it names."""

    start: int
    stop: int
    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a prompt asks for, in the terms of the model.

    `ignored` holds the content words that mean nothing to the model, in the order of the prompt and once
    each; `language` is "en", "zh" or "other".
    """

    attributes: Attributes
    matches: tuple[Match, ...]
    ignored: tuple[str, ...]
    language: str

    def sentence(self) -> str:
        """One plain English sentence for a person."""
        named = [
            f"{name} {value}" for name in VALUES if (value := getattr(self.attributes, name)) is not None
        ]
        if self.attributes.scene is None:
            known = ", ".join(SCENES)
            named.insert(0, f"no scene (the model can draw: {known})")
        sentence = "understood: " + ", ".join(named)
        if self.ignored:
            shown = ", ".join(f'"{word}"' for word in self.ignored[:_SHOWN_WORDS])
            more = len(self.ignored) - _SHOWN_WORDS
            sentence += f"; ignored: {shown}" + (f" and {more} more" if more > 0 else "")
        return sentence


@dataclass(frozen=True, slots=True)
class _Phrase:
    kind: str
    value: str
    scenes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    stop: int
    phrase: _Phrase


def understand(prompt: str) -> Understanding:
    """Reads `prompt`; never fails, whatever the text.

    The first mention of an attribute counts; a later, different one is reported as ignored. A city that is
    named beside another subject is only where that subject is, so the other subject becomes the scene.
    """
    spans = list(_spans(prompt))
    chosen = _choose(spans)
    attributes = Attributes(**chosen)
    kept = [span for span in spans if _counts(span.phrase, chosen)]
    matches = tuple(
        Match(span.start, span.stop, span.phrase.kind, span.phrase.value)
        for span in kept
        if span.phrase.kind in VALUES
    )
    return Understanding(attributes, matches, tuple(_leftovers(prompt, kept)), _language(prompt))


def phrases(language: str) -> frozenset[str]:
    """Every phrase of `language` ("en" or "zh") that names an attribute value; training shows them all."""
    han = re.compile(f"[{_HAN}]")
    return frozenset(
        text
        for text, phrase in _vocabulary().items()
        if phrase.kind in VALUES and (han.search(text) is not None) == (language == "zh")
    )


def _choose(spans: list[_Span]) -> dict[str, str]:
    scenes = [span.phrase.value for span in spans if span.phrase.kind == "scene"]
    chosen: dict[str, str] = {}
    if scenes:
        chosen["scene"] = next((scene for scene in scenes if scene != "city"), "city")
    for span in spans:
        if span.phrase.kind in VALUES:
            chosen.setdefault(span.phrase.kind, span.phrase.value)
    return chosen


def _counts(phrase: _Phrase, chosen: dict[str, str]) -> bool:
    if phrase.kind == _VERB:
        return not phrase.scenes or chosen.get("scene") in phrase.scenes
    if phrase.kind == _OTHER:
        return False
    return phrase.kind == _STOP or chosen[phrase.kind] == phrase.value


def _leftovers(prompt: str, kept: list[_Span]) -> Iterator[str]:
    seen: set[str] = set()
    begin = 0
    for span in [*kept, _Span(len(prompt), len(prompt), _Phrase(_STOP, ""))]:
        for token in _TOKEN.findall(prompt[begin : span.start]):
            word = token.casefold()
            if word not in words.ENGLISH_STOP and word not in seen:
                seen.add(word)
                yield token
        begin = span.stop


def _language(prompt: str) -> str:
    han = len(re.findall(f"[{_HAN}]", prompt))
    latin = len(re.findall(r"[A-Za-z]+", prompt))
    if han == latin == 0:
        return "other"
    return "zh" if han >= latin else "en"


def _spans(prompt: str) -> Iterator[_Span]:
    vocabulary = _vocabulary()
    for match in _pattern().finditer(prompt):
        text = re.sub(r"\s+", " ", match.group().casefold())
        phrase = vocabulary[text]
        stop = match.end()
        if phrase.kind == "background" and (suffix := _PLACE_SUFFIX.match(prompt, stop)):
            stop = suffix.end()
        yield _Span(match.start(), stop, phrase)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """All phrases, the longest first; English ones only as whole words."""
    ordered = sorted(_vocabulary(), key=len, reverse=True)
    alternatives = []
    for text in ordered:
        pattern = r"\s+".join(re.escape(part) for part in text.split(" "))
        alternatives.append(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])" if text.isascii() else pattern)
    return re.compile("|".join(alternatives), re.IGNORECASE | re.ASCII)


@lru_cache(maxsize=1)
def _vocabulary() -> MappingProxyType[str, _Phrase]:
    table: dict[str, _Phrase] = {}
    for text, phrase in _all_phrases():
        known = table.get(text)
        if known is not None and known.kind == phrase.kind == _VERB and known.scenes and phrase.scenes:
            phrase = _Phrase(_VERB, text, known.scenes | phrase.scenes)
        elif known is not None and known != phrase:
            raise ValueError(f"{text!r} means {known} and {phrase}; keep one of them in words.py")
        table[text] = phrase
    return MappingProxyType(table)


def _all_phrases() -> Iterator[tuple[str, _Phrase]]:
    for language in (words.ENGLISH, words.CHINESE, words.ENGLISH_TAGS):
        for attribute, table in language.items():
            for value, texts in table.items():
                for text in texts:
                    yield text, _Phrase(attribute, value)
    for value, texts in words.ENGLISH["scene"].items():
        yield from ((words.plural(text), _Phrase("scene", value)) for text in texts)
    for texts in words.NIGHT_VIEWS.values():
        yield from ((text, _Phrase("time", "night")) for text in texts)
    yield from _verbs_and_others()


def _verbs_and_others() -> Iterator[tuple[str, _Phrase]]:
    for table in (words.ENGLISH_VERBS, words.ENGLISH_PRESENT, words.CHINESE_VERBS):
        for scene, texts in table.items():
            yield from ((text, _Phrase(_VERB, text, frozenset({scene}))) for text in texts)
    for texts in words.ANY_SCENE_VERBS.values():
        yield from ((text, _Phrase(_VERB, text)) for text in texts)
    yield from ((text, _Phrase(_STOP, "")) for text in words.CHINESE_STOP)
    yield from ((text, _Phrase(_OTHER, "")) for text in words.OTHER_MEANINGS)
