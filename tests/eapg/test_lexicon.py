"""What `understand` reads out of a prompt, and what it says about the rest."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.eapg import words
from eapg_split.eapg.attributes import SCENES, VALUES, Attributes
from eapg_split.eapg.lexicon import phrases, understand


@pytest.mark.parametrize("table", [words.ENGLISH, words.CHINESE], ids=["en", "zh"])
def test_every_value_has_words_in_both_languages(table: object) -> None:
    assert isinstance(table, type(words.ENGLISH))
    assert {name: set(values) for name, values in table.items()} == {
        name: set(values) for name, values in VALUES.items()
    }
    assert all(texts for values in table.values() for texts in values.values())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_phrase_alone_is_understood_without_leftovers(language: str) -> None:
    for phrase in phrases(language):
        understanding = understand(phrase)
        assert [match.stop - match.start for match in understanding.matches] == [len(phrase)]
        assert understanding.ignored == ()


@pytest.mark.parametrize(
    ("prompt", "attributes"),
    [
        ("A cat running", Attributes(scene="cat")),
        ("城市夜景", Attributes(scene="city", time="night")),
        ("都市的夜景", Attributes(scene="city", time="night")),
        ("a city at night", Attributes(scene="city", time="night")),
        ("A CAT\n running  to the\tLEFT", Attributes(scene="cat", direction="left")),
        ("the goldfish", Attributes(scene="fish")),
        ("a hot air balloon", Attributes(scene="balloon")),
        ("红色气球", Attributes(scene="balloon", colour="red")),
        ("黄昏的海边", Attributes(background="beach", time="sunset")),
        ("a bird in the blue sky", Attributes(scene="bird")),
        ("a cat running down the street", Attributes(scene="cat", background="street")),
        ("汽车在高速公路上飞快地向右行驶", Attributes("car", None, "right", "fast", "street")),
        ("火箭在沙漠上升空", Attributes(scene="rocket", direction="up", background="desert")),
        ("a car in the city at night", Attributes(scene="car", time="night")),
        ("a black cat beside a red car", Attributes(scene="cat", colour="black")),
    ],
)
def test_reads_the_attributes(prompt: str, attributes: Attributes) -> None:
    assert understand(prompt).attributes == attributes


@pytest.mark.parametrize(
    ("prompt", "ignored"),
    [
        ("A cat running", ()),
        ("An elephant dancing right with a cat", ("elephant", "dancing")),
        ("a running car", ("running",)),
        ("一只开心的红色小猫", ("开心",)),
        ("飞机", ("飞机",)),
        ("a cat and a car", ("car",)),
        ("Purple cattle", ("cattle",)),
        ("wow WOW wow", ("wow",)),
    ],
)
def test_names_the_words_that_mean_nothing(prompt: str, ignored: tuple[str, ...]) -> None:
    assert understand(prompt).ignored == ignored


@pytest.mark.parametrize(
    ("prompt", "language"),
    [("a cat", "en"), ("一只猫", "zh"), ("кот", "other"), ("猫 cat 狗", "zh"), ("", "other")],
)
def test_language(prompt: str, language: str) -> None:
    assert understand(prompt).language == language


def test_matches_are_spans_of_the_prompt() -> None:
    prompt = "A red Kitty to the left"
    named = {(m.attribute, m.value): prompt[m.start : m.stop] for m in understand(prompt).matches}
    assert named == {
        ("colour", "red"): "red",
        ("scene", "cat"): "Kitty",
        ("direction", "left"): "to the left",
    }


def test_sentence_says_what_was_understood_and_ignored() -> None:
    assert understand("An elephant dancing right with a cat").sentence() == (
        'understood: scene cat, direction right; ignored: "elephant", "dancing"'
    )


def test_sentence_says_plainly_that_no_scene_was_recognised() -> None:
    sentence = understand("紫色的大象").sentence()
    assert sentence.startswith("understood: no scene (the model can draw: cat, car,")
    assert sentence.endswith('colour purple; ignored: "大象"')
    assert all(scene in sentence for scene in SCENES)


def test_sentence_stays_one_line_for_a_long_prompt() -> None:
    sentence = understand(" ".join(f"word{number}" for number in range(200))).sentence()
    assert sentence.endswith("and 188 more")
    assert "\n" not in sentence
    assert len(sentence) < 400


@given(st.text(max_size=200))
def test_any_text_is_read(prompt: str) -> None:
    understanding = understand(prompt)
    assert understanding.attributes == understand(prompt).attributes
    assert "\n" not in understanding.sentence()
    assert all(word in prompt for word in understanding.ignored)


@pytest.mark.parametrize("unit", ["a", "a ", "猫", "城", "-", " ", "the camera zooms i "])
def test_reading_is_quick_for_the_longest_prompts(unit: str) -> None:
    started = time.process_time()
    understand((unit * 8000)[:8000])
    assert time.process_time() - started < 2
