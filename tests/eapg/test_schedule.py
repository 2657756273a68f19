import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.request import Request
from eapg_split.eapg.schedule import (
    SIGMA,
    SIGNAL,
    EntropyScheduler,
    canvas_of,
    frame_count,
    frame_rates,
    stage_sizes,
    time_grid,
)
from eapg_split.eapg.spaces import SPACES
from eapg_split.eapg.workload import stage_geometries
from eapg_split.errors import InvalidRequest

rates = st.floats(0.1, 240, allow_nan=False)


def test_default_rates() -> None:
    assert frame_rates(1, 24) == (1, 6, 12, 24)
    assert EntropyScheduler().stages == (1, 6, 12, 24)


@given(rates, rates)
def test_rates_never_fall_and_end_at_the_target(base: float, target: float) -> None:
    result = frame_rates(base, target)
    assert list(result) == sorted(result)
    assert result[-1] == target
    assert min(result) >= min(base, target)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 200))
def test_scheduler_goes_up_to_exactly_the_target(base: int, target: int, total: int) -> None:
    scheduler = EntropyScheduler(base, target)
    configs = [scheduler.get_stage_config(step, total) for step in range(total + 1)]
    assert configs[-1] == {"fps": target, "resolution_scale": 1.0}
    assert all(type(config["fps"]) is int and config["fps"] >= 1 for config in configs)
    assert [c["fps"] for c in configs] == sorted(c["fps"] for c in configs)
    assert [c["resolution_scale"] for c in configs] == sorted(c["resolution_scale"] for c in configs)
    if total >= 4:
        assert configs[0]["fps"] == min(base, target)
        assert configs[total - 1]["fps"] == target
        assert {c["resolution_scale"] for c in configs} == {0.125, 0.25, 0.5, 1.0}


@pytest.mark.parametrize("pair", [(0, 24), (1, 0), (-1, 24), (float("nan"), 24), (1, float("inf"))])
def test_rates_must_be_positive(pair: tuple[float, float]) -> None:
    with pytest.raises(InvalidRequest):
        frame_rates(*pair)


def test_scheduler_refuses_impossible_progress() -> None:
    with pytest.raises(InvalidRequest):
        EntropyScheduler().get_stage_config(0, 0)
    with pytest.raises(InvalidRequest):
        EntropyScheduler().get_stage_config(-1, 10)


def test_documented_geometry() -> None:
    geometries = stage_geometries(Request("A cat running"))
    assert [(g.width, g.height) for g in geometries] == [(64, 36), (128, 72), (256, 144), (512, 288)]
    assert [g.frames for g in geometries] == [6, 31, 61, 121]
    assert [g.fps for g in geometries] == [1, 6, 12, 24]
    shapes = [space.shape(geometry) for space, geometry in zip(SPACES, geometries, strict=True)]
    assert shapes == [(48, 6, 9, 16), (192, 8, 18, 32), (12, 16, 18, 32), (12, 31, 36, 64)]


@given(st.integers(32, 2048), st.integers(32, 1152))
def test_every_even_size_has_a_legal_geometry(half_width: int, half_height: int) -> None:
    width, height = 2 * half_width, 2 * half_height
    canvas = canvas_of(width, height)
    assert canvas.width % 32 == canvas.height % 32 == 0
    assert width * canvas.ratio <= canvas.width < width * canvas.ratio + 32
    assert height * canvas.ratio <= canvas.height < height * canvas.ratio + 32
    assert canvas.ratio in (1, 2, 4, 8)
    assert width * height * canvas.ratio**2 >= 256 * 144
    assert canvas.ratio == 1 or width * height * (canvas.ratio // 2) ** 2 < 256 * 144
    sizes = stage_sizes(canvas)
    for (w, h), space in zip(sizes, SPACES, strict=True):
        assert w % space.cell == h % space.cell == 0
        assert min(w, h) >= 8
    assert sizes[1] == (2 * sizes[0][0], 2 * sizes[0][1])
    assert sizes[2] == (sizes[3][0] // 2, sizes[3][1] // 2)
    assert 1152 <= sizes[0][0] * sizes[0][1] <= 4608


def test_small_outputs_are_drawn_larger() -> None:
    assert canvas_of(64, 64).ratio == 4
    assert canvas_of(256, 144).ratio == 1
    assert canvas_of(254, 144).ratio == 2


@given(st.floats(0.5, 30), st.integers(1, 60))
def test_the_frames_reach_the_end(seconds: float, fps: int) -> None:
    for rate in frame_rates(min(1, fps), fps):
        count = frame_count(seconds, rate)
        assert (count - 1) / rate >= seconds - 1e-6
        assert (count - 2) / rate < seconds


def test_whole_seconds_do_not_gain_a_frame_by_rounding() -> None:
    assert frame_count(0.1 * 3, 10) == 4


@given(st.integers(1, 64), st.floats(0.1, 10))
def test_time_runs_from_zero_to_one(steps: int, shift: float) -> None:
    grid = time_grid(steps, shift)
    assert grid[0] == 0.0
    assert grid[-1] == 1.0
    assert len(grid) == steps + 1
    assert all(early < late for early, late in itertools.pairwise(grid))


def test_time_is_uniform_without_shift_and_dwells_early_with_it() -> None:
    assert time_grid(4, 1.0) == (0, 0.25, 0.5, 0.75, 1)
    assert time_grid(4, 2.0)[1] < 0.25


def test_signal_and_noise_add_up() -> None:
    assert SIGMA[0] == 1
    assert all(signal + sigma == 1 for signal, sigma in zip(SIGNAL, SIGMA, strict=True))
