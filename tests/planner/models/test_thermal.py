"""Heat against what can be worked out by hand, by steps so small that they are nearly exact, and by conservation."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.governor import Governor
from eapg_split.planner.models.thermal import Heat, Phase, ThermalModel

MODEL = ThermalModel()
STEADY = Governor(ratios=(1.0,), up_c=())
watts = st.floats(0, 20)
seconds = st.floats(0.01, 2000)
heats = st.builds(Heat, st.floats(-10, 90), st.floats(-10, 60))


def stepped(model: ThermalModel, heat: Heat, power_w: float, duration_s: float, steps: int = 20_000) -> Heat:
    """The same equations by the midpoint rule."""
    die, skin, dt = heat.die_c, heat.skin_c, duration_s / steps

    def slopes(die: float, skin: float) -> tuple[float, float]:
        inward, outward = (die - skin) / model.die_k_per_w, (skin - model.air_c) / model.skin_k_per_w
        return (power_w - inward) / model.die_j_per_k, (inward - outward) / model.skin_j_per_k

    for _ in range(steps):
        first = slopes(die, skin)
        middle = slopes(die + dt / 2 * first[0], skin + dt / 2 * first[1])
        die, skin = die + dt * middle[0], skin + dt * middle[1]
    return Heat(die, skin)


@pytest.mark.parametrize("power_w", [0.0, 3.0, 9.0])
@pytest.mark.parametrize("duration_s", [0.5, 20.0, 600.0])
def test_the_closed_form_solves_the_equations(power_w: float, duration_s: float) -> None:
    begin = Heat(48.0, 31.0)
    exact, near = MODEL.after(begin, power_w, duration_s), stepped(MODEL, begin, power_w, duration_s)
    assert exact.die_c == pytest.approx(near.die_c, abs=1e-3)
    assert exact.skin_c == pytest.approx(near.skin_c, abs=1e-3)


@given(heats, watts, seconds, seconds)
def test_two_stretches_are_one(heat: Heat, power_w: float, first_s: float, second_s: float) -> None:
    whole = MODEL.after(heat, power_w, first_s + second_s)
    parts = MODEL.after(MODEL.after(heat, power_w, first_s), power_w, second_s)
    assert parts.die_c == pytest.approx(whole.die_c, abs=1e-6)
    assert parts.skin_c == pytest.approx(whole.skin_c, abs=1e-6)


def test_it_ends_where_heat_in_is_heat_out() -> None:
    end = MODEL.after(Heat(25.0, 25.0), 4.0, 1e5)
    assert end.skin_c == pytest.approx(25.0 + 4.0 * MODEL.skin_k_per_w)
    assert end.die_c == pytest.approx(end.skin_c + 4.0 * MODEL.die_k_per_w)
    settled = MODEL.settled(4.0)
    assert settled.die_c == pytest.approx(end.die_c)
    assert settled.skin_c == pytest.approx(end.skin_c)


def test_the_default_phone_has_the_time_constants_that_were_published() -> None:
    fast, slow = (-1 / rate for rate in MODEL.rates)
    assert 5 < fast < 10
    assert 200 < slow < 550


@given(heats, heats, watts, seconds)
def test_what_begins_cooler_never_ends_hotter(
    first: Heat, second: Heat, power_w: float, time_s: float
) -> None:
    cool = Heat(min(first.die_c, second.die_c), min(first.skin_c, second.skin_c))
    hot = Heat(max(first.die_c, second.die_c), max(first.skin_c, second.skin_c))
    cool_end, hot_end = MODEL.after(cool, power_w, time_s), MODEL.after(hot, power_w, time_s)
    assert cool_end.skin_c <= hot_end.skin_c + 1e-9
    assert cool_end.die_c <= hot_end.die_c + 1e-9


def test_a_governor_steps_down_and_comes_back_later() -> None:
    governor = Governor()
    level, seen = 0, []
    for temperature in (30, 33.9, 34, 35.9, 36, 35, 34.1, 34.0, 33, 32.1, 32, 45, 42.1, 42, 10):
        level = governor.level(temperature, level)
        seen.append(level)
    assert seen == [0, 0, 1, 1, 2, 2, 2, 1, 1, 1, 0, 4, 4, 3, 0]
    assert [governor.nearest(ratio) for ratio in (1.0, 0.9, 0.71, 0.6, 0.1)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "change",
    [
        {"ratios": (1.0, 1.0), "up_c": (30.0,)},
        {"ratios": (1.0, 0.5), "up_c": ()},
        {"ratios": (1.0, 0.5, 0.2), "up_c": (40.0, 30.0)},
        {"ratios": (1.0, 0.0), "up_c": (30.0,)},
        {"hysteresis_c": 0.0},
    ],
)
def test_governors_that_make_no_sense_are_refused(change: dict) -> None:
    with pytest.raises(InvalidRequest):
        Governor(**change)


def test_models_and_phases_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        ThermalModel(skin_k_per_w=0.0)
    with pytest.raises(InvalidRequest):
        Phase(5.0, work_s=math.inf)
    with pytest.raises(InvalidRequest):
        Phase(-1.0, idle_s=1.0)


def test_work_takes_longer_once_it_is_hot() -> None:
    cool = MODEL.rolled(MODEL.seen(25.0), Phase(8.0, work_s=10.0))
    assert cool.seconds == pytest.approx(10.0)
    assert cool.joules == pytest.approx(80.0)
    hot = MODEL.rolled(MODEL.seen(43.0), Phase(8.0, work_s=10.0))
    assert hot.heat.level >= 3
    assert 10.0 / 0.62 <= hot.seconds <= 10.0 / 0.45
    long = MODEL.rolled(MODEL.seen(25.0), Phase(8.0, work_s=600.0))
    assert 600.0 < long.seconds < 600.0 / 0.45
    assert long.heat.skin_c < MODEL.settled(8.0).skin_c


@given(st.floats(20, 50), st.floats(0.5, 12), st.floats(1, 400), st.integers(2, 9))
def test_the_same_work_in_pieces_costs_the_same(
    begin_c: float, power_w: float, work_s: float, pieces: int
) -> None:
    whole = MODEL.rolled(MODEL.seen(begin_c), Phase(power_w, work_s=work_s))
    parts = list(MODEL.roll(MODEL.seen(begin_c), [Phase(power_w, work_s=work_s / pieces)] * pieces))
    assert sum(part.seconds for part in parts) == pytest.approx(whole.seconds, rel=1e-4)
    assert sum(part.joules for part in parts) == pytest.approx(whole.joules, rel=1e-4)
    assert parts[-1].skin_c == pytest.approx(whole.skin_c, abs=1e-3)


@given(st.floats(20, 60), st.floats(0, 12), st.floats(1, 400))
def test_the_level_agrees_with_the_skin_afterwards(begin_c: float, power_w: float, time_s: float) -> None:
    for phase in (Phase(power_w, work_s=time_s), Phase(power_w, idle_s=time_s)):
        heat = MODEL.rolled(MODEL.seen(begin_c), phase).heat
        assert MODEL.governor.level(heat.skin_c, heat.level) == heat.level


def test_waiting_cools_and_is_not_stretched() -> None:
    hot = Heat(60.0, 43.0, 3)
    waited = MODEL.rolled(hot, Phase(0.5, idle_s=300.0))
    assert waited.seconds == pytest.approx(300.0)
    assert waited.joules == pytest.approx(150.0)
    assert waited.heat.level == 0
    assert waited.skin_c < 32


def test_a_die_that_is_hotter_than_its_skin_can_push_it_over_a_threshold_for_a_while() -> None:
    model = ThermalModel(skin_j_per_k=20.0)
    begin = Heat(70.0, 33.0)
    end = model.rolled(begin, Phase(0.0, idle_s=20.0)).heat
    assert end.level >= 1
    assert model.rolled(begin, Phase(0.0, idle_s=5000.0)).heat.level == 0


def test_what_is_known_of_a_device_sets_the_level() -> None:
    assert MODEL.seen(25.0).level == 0
    assert MODEL.seen(41.0).level == 3
    assert MODEL.seen(25.0, clock_ratio=0.45).level == 4
    assert MODEL.seen(math.nan).skin_c == MODEL.air_c


def test_without_a_governor_nothing_slows_down() -> None:
    model = ThermalModel(governor=STEADY)
    rolled = model.rolled(model.seen(60.0), Phase(10.0, work_s=1000.0))
    assert rolled.seconds == 1000.0
