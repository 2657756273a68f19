"""The motion measures tell true renders from torn ones."""

import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.eapg.attributes import Attributes
from eapg_split.training.motion_metrics import BreakCount, count_breaks, flicker
from eapg_split.training.world import render, sample_scene

FPS = 24
Frames = list[NDArray[np.uint8]]


def clip(scene: str, seconds: float = 3.0) -> Frames:
    wanted = Attributes(scene=scene, speed="normal", camera="static", time="day", direction="right")
    times = np.arange(round(seconds * FPS) + 1) / FPS
    return list(render(sample_scene(wanted, 3, duration_s=seconds), times.tolist(), 384, 216))


@pytest.mark.parametrize("scene", ["fish", "train", "boat", "cat"])
def test_a_true_render_does_not_break_and_a_shuffled_one_does(scene: str) -> None:
    frames = clip(scene)
    assert count_breaks(frames, FPS).moving_broken == 0
    order = np.random.default_rng(0).permutation(len(frames))
    assert count_breaks([frames[i] for i in order], FPS).rate >= 2 / 3


@pytest.mark.parametrize("scene", ["fish", "boat"])
def test_a_dropped_and_a_repeated_second_are_caught(scene: str) -> None:
    frames = clip(scene, 5.0)
    assert count_breaks(frames, FPS).moving_broken == 0
    dropped = frames[:40] + frames[40 + FPS :]
    repeated = frames[:64] + frames[64 - FPS :]
    assert count_breaks(dropped, FPS).moving_broken >= 1
    assert count_breaks(repeated, FPS).moving_broken >= 1


def test_nothing_breaks_where_nothing_moves() -> None:
    frames = clip("car")[:1] * 49
    assert count_breaks(frames, FPS).moving_broken == 0
    assert count_breaks([np.full((96, 160, 3), 90, np.uint8)] * 30, FPS).rate == 0.0


def test_a_picture_that_changes_without_tracks_counts_as_a_break() -> None:
    flat = np.full((96, 160, 3), 90, np.uint8)
    stripes = flat.copy()
    stripes[:, ::2] = 255
    assert count_breaks([flat] * 12 + [stripes] * 13, FPS).moving_broken == 1


def test_counts_add_up() -> None:
    total = BreakCount(1, 2, 0, 3) + BreakCount(1, 2, 1, 1)
    assert total == BreakCount(2, 4, 1, 4)
    assert (total.rate, total.resting_rate, BreakCount().rate) == (0.5, 0.25, 0.0)


def test_flicker_is_one_for_a_still_clip_and_falls_with_noise() -> None:
    frame = np.full((32, 48, 3), 100, np.uint8)
    assert flicker([frame, frame, frame]) == 1.0
    assert flicker([frame, frame + np.uint8(51)]) == pytest.approx(0.8)
