"""Captions say exactly what they were asked to say, in both languages."""

import random
from collections import Counter
from dataclasses import fields

import pytest

from eapg_split.eapg.attributes import SCENE_DIRECTIONS, SCENES, VALUES, Attributes
from eapg_split.eapg.lexicon import phrases, understand
from eapg_split.training.captions import caption, evaluation_prompts, mention
from eapg_split.training.captions_en import english
from eapg_split.training.captions_zh import chinese

WRITERS = {"en": english, "zh": chinese}


def draw(rng: random.Random) -> Attributes:
    return Attributes(**{name: rng.choice(values) for name, values in VALUES.items()})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_caption_is_understood_as_what_it_was_written_from(language: str) -> None:
    rng = random.Random(1)
    for _ in range(6000):
        said = mention(draw(rng), rng)
        text = WRITERS[language](said, rng)
        assert understand(text).attributes == said, text
        assert understand(text).language in (language, "en" if said == Attributes() else language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_training_shows_every_phrase_that_is_understood(language: str) -> None:
    rng = random.Random(2)
    corpus = "\n".join(WRITERS[language](mention(draw(rng), rng), rng) for _ in range(16000)).casefold()
    assert [phrase for phrase in phrases(language) if phrase not in corpus] == []


def test_captions_are_a_function_of_the_generator() -> None:
    def some() -> list[str]:
        rng = random.Random(3)
        return [caption(draw(rng), rng) for _ in range(50)]

    assert some() == some()


def test_both_languages_come_equally_often() -> None:
    rng = random.Random(4)
    languages = Counter(understand(caption(draw(rng), rng)).language for _ in range(2000))
    assert set(languages) == {"en", "zh"}
    assert 900 < languages["en"] < 1100


@pytest.mark.parametrize(
    ("attributes", "prompts"),
    [
        (Attributes(scene="cat"), ("A cat running", "a cat", "猫", "一只猫")),
        (Attributes(scene="city", time="night"), ("城市夜景", "都市夜景")),
        (Attributes(scene="car", colour="red"), ("a red car", "红色的汽车", "红色汽车")),
        (Attributes(scene="cat", direction="left"), ("a cat running to the left", "一只猫向左奔跑")),
    ],
)
def test_short_prompts_are_among_the_captions(attributes: Attributes, prompts: tuple[str, ...]) -> None:
    rng = random.Random(5)
    written = Counter(caption(attributes, rng) for _ in range(6000))
    assert all(written[prompt] >= 3 for prompt in prompts)


def test_mention_only_leaves_out() -> None:
    rng = random.Random(6)
    for _ in range(300):
        full = draw(rng)
        said = mention(full, rng)
        assert all(getattr(said, f.name) in (None, getattr(full, f.name)) for f in fields(said))


def test_evaluation_asks_five_ways_for_every_scene_in_both_languages() -> None:
    asked = evaluation_prompts()
    assert asked == evaluation_prompts()
    assert all(understand(prompt).attributes == wanted for prompt, _, wanted in asked)
    assert all(understand(prompt).language == language for prompt, language, _ in asked)
    for scene in SCENES:
        for language in ("en", "zh"):
            full = [
                (prompt, wanted)
                for prompt, spoken, wanted in asked
                if spoken == language and wanted.scene == scene and wanted.direction is not None
            ]
            assert len({prompt for prompt, _ in full}) == 5
            assert len({wanted.colour for _, wanted in full}) == 5
            assert {wanted.direction for _, wanted in full} == set(SCENE_DIRECTIONS[scene])
    prompts = {prompt for prompt, _, _ in asked}
    assert {"A cat running", "城市夜景"} <= prompts
