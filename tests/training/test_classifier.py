"""The judge of generated clips: what it sees, and the file that it ships in."""

from pathlib import Path

import numpy as np
import pytest
import torch
from train_classifier import CHECKPOINT, augment, draw_clips

from eapg_split.eapg.attributes import DIRECTIONS, SCENES, VALUES, Attributes
from eapg_split.errors import CorruptWeights
from eapg_split.training.classifier import (
    FRAMES,
    HEIGHT,
    JUDGED,
    WIDTH,
    AttributeClassifier,
    judge,
    load_classifier,
    save_classifier,
    shrink,
)
from eapg_split.training.world import render, sample_scene


def test_shrinks_any_clip_to_what_the_network_takes() -> None:
    frames = [np.full((288, 512, 3), index, np.uint8) for index in range(121)]
    small = shrink(frames)
    assert small.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert small[:, 0, 0, 0].tolist() == np.linspace(0, 120, FRAMES).round().astype(int).tolist()


def test_judges_every_attribute_of_an_untrained_network_within_its_values() -> None:
    torch.manual_seed(0)
    judged = judge(AttributeClassifier().eval(), [np.zeros((72, 128, 3), np.uint8)] * 5)
    assert set(judged) == set(JUDGED)
    assert all(judged[name] in VALUES[name] for name in JUDGED)


def test_playing_backwards_and_mirroring_turn_the_direction_only() -> None:
    clips = draw_clips(20, first_seed=50, width=WIDTH, height=HEIGHT)
    pixels = torch.zeros(20, 3, FRAMES, HEIGHT, WIDTH)
    values = torch.from_numpy(clips.values)
    _, changed = augment(pixels, values, torch.Generator().manual_seed(1))
    column = JUDGED.index("direction")
    kept = [i for i in range(len(JUDGED)) if i != column]
    assert torch.equal(changed[:, kept], values[:, kept])
    assert not torch.equal(changed[:, column], values[:, column])
    sideways = values[:, column] < DIRECTIONS.index("up")
    assert torch.equal(changed[:, column] < DIRECTIONS.index("up"), sideways)


def test_the_shipped_classifier_knows_renders() -> None:
    classifier, accuracy = load_classifier(CHECKPOINT)
    assert min(accuracy[name] for name in ("scene", "colour", "direction")) >= 0.97
    assert CHECKPOINT.stat().st_size < 3_000_000
    right = []
    for seed, scene in enumerate(SCENES):
        drawn = sample_scene(Attributes(scene=scene), 900_000 + seed)
        judged = judge(classifier, list(render(drawn, np.linspace(0, 5, FRAMES).tolist(), 192, 108)))
        right += [
            judged[name] == getattr(drawn.attributes, name) for name in ("scene", "colour", "direction")
        ]
    assert sum(right) >= len(right) - 2


def test_a_saved_classifier_comes_back(tmp_path: Path) -> None:
    classifier = AttributeClassifier().eval()
    path = tmp_path / "classifier.safetensors"
    save_classifier(classifier, path, dict.fromkeys(JUDGED, 0.5))
    again, accuracy = load_classifier(path)
    x = torch.zeros(1, 3, FRAMES, HEIGHT, WIDTH)
    assert torch.equal(classifier(x)["scene"], again(x)["scene"])
    assert dict(accuracy) == dict.fromkeys(JUDGED, 0.5)


@pytest.mark.parametrize("content", [None, b"", b"not weights at all"])
def test_a_file_that_is_no_classifier_says_how_to_mend_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "classifier.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorruptWeights, match="train it again"):
        load_classifier(path)
