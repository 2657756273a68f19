"""What a prompt leaves open is settled once, by the seed, and said."""

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.eapg.attributes import SCENE_BACKGROUNDS, SCENE_DIRECTIONS, SCENES, VALUES, Attributes
from eapg_split.eapg.completion import complete_prompt, joined, phrase, usual
from eapg_split.eapg.lexicon import understand
from eapg_split.eapg.prompt import TEXT_BYTES

SEEDS = st.integers(0, 2**63 - 1)


@given(st.text(max_size=400), SEEDS)
def test_any_prompt_fits_the_encoder_and_keeps_its_completion(prompt: str, seed: int) -> None:
    completion = complete_prompt(prompt, seed)
    assert completion.text.endswith(phrase(completion.assumed))
    assert len(completion.text.encode()) <= TEXT_BYTES or not phrase(completion.assumed)
    assert completion == complete_prompt(prompt, seed)


@given(st.sampled_from(SCENES), SEEDS)
def test_what_is_assumed_goes_together(scene: str, seed: int) -> None:
    assumed = usual(Attributes(scene=scene), seed)
    assert assumed.background in SCENE_BACKGROUNDS[scene]
    assert assumed.direction in SCENE_DIRECTIONS[scene]
    assert assumed.scene is None, "what was said is not assumed"


@given(
    st.fixed_dictionaries({name: st.sampled_from((None, *values)) for name, values in VALUES.items()}), SEEDS
)
def test_said_and_assumed_are_the_whole_and_do_not_overlap(said: dict[str, str | None], seed: int) -> None:
    assumed = asdict(usual(Attributes(**said), seed))
    assert all((said[name] is None) != (assumed[name] is None) for name in VALUES)


@given(SEEDS)
def test_the_completion_says_what_it_means(seed: int) -> None:
    assumed = usual(Attributes(), seed)
    assert understand(phrase(assumed)).attributes == assumed


def test_seeds_vary_what_is_assumed() -> None:
    assert len({complete_prompt("A car", seed).text for seed in range(20)}) > 2


@pytest.mark.parametrize(
    "prompt", ["a red cat running to the left slowly on the beach at night, fixed camera"]
)
def test_a_full_prompt_is_left_alone(prompt: str) -> None:
    completion = complete_prompt(prompt, 0)
    assert completion.text == prompt
    assert "assumed" not in completion.sentence()


def test_a_prompt_outside_the_world_says_so() -> None:
    sentence = complete_prompt("an elephant dancing", 1).sentence()
    assert "no scene" in sentence
    assert '"elephant"' in sentence
    assert "assumed: scene" in sentence


def test_a_long_prompt_gives_way_at_its_end() -> None:
    assert joined("猫" * 100, "red").endswith(", red")
    assert len(joined("猫" * 100, "red").encode()) <= TEXT_BYTES
