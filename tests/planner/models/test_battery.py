"""A battery against what can be worked out by hand: energy counted, current solved, voltage that falls."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.battery import PHONE_OCV, Battery

PHONE = Battery()
FLAT = Battery(capacity_wh=10.0, resistance_ohm=0.0, cut_off_v=3.0, ocv=(3.7, 3.7000001))
charges = st.floats(0.0, 1.0)
watts = st.floats(0.1, 15.0)


def test_a_phone_holds_what_its_label_says() -> None:
    assert len(PHONE_OCV) == 21
    assert PHONE.energy_j(1.0) == pytest.approx(19 * 3600)
    assert PHONE.capacity_as / 3600 == pytest.approx(5.0, abs=0.1)  # 5 Ah


def test_without_resistance_energy_is_what_was_drawn() -> None:
    assert FLAT.after(1.0, 10.0, 1800.0) == pytest.approx(0.5, abs=1e-6)
    assert FLAT.energy_j(0.75, 0.25) == pytest.approx(5.0 * 3600, rel=1e-6)
    assert FLAT.usable_j(0.75, 0.25, 20.0) == pytest.approx(5.0 * 3600, rel=1e-6)


@given(charges, watts)
def test_the_current_solves_its_equation(charge: float, load: float) -> None:
    current = PHONE.current_a(charge, load)
    assert (PHONE.open_v(charge) - current * PHONE.resistance_ohm) * current == pytest.approx(load)


def test_a_load_beyond_what_it_can_give_is_refused() -> None:
    assert math.isinf(PHONE.current_a(0.5, 200.0))
    assert not PHONE.holds(0.5, 200.0)
    assert PHONE.after(0.5, 200.0, 1.0) == 0.0


def test_at_low_charge_a_heavy_load_goes_off_before_it_is_empty() -> None:
    assert PHONE.holds(0.5, 6.0)
    assert not PHONE.holds(0.02, 6.0)
    assert PHONE.usable_j(0.2, 0.0, 6.0) < PHONE.energy_j(0.2)


def test_the_same_load_empties_the_last_tenth_sooner_than_the_first() -> None:
    first = 1.0 - PHONE.after(1.0, 8.0, 600.0)
    last = 0.25 - PHONE.after(0.25, 8.0, 600.0)
    assert last > first > 0


@given(st.floats(0.4, 1.0), watts, st.floats(1.0, 1200.0))
def test_what_is_drawn_and_what_is_heat_is_what_it_lost(charge: float, load: float, time_s: float) -> None:
    after = PHONE.after(charge, load, time_s)
    assume(after > 0.2)
    lost = PHONE.energy_j(charge) - PHONE.energy_j(after)
    drawn = load * time_s
    worst = PHONE.current_a(after, load) ** 2 * PHONE.resistance_ohm * time_s
    assert drawn * (1 - 1e-6) <= lost <= (drawn + worst) * (1 + 1e-3)
    assert PHONE.usable_j(charge, after, load) == pytest.approx(drawn, rel=2e-3)


@given(charges, watts, st.floats(1.0, 600.0), st.floats(1.0, 600.0))
def test_two_stretches_are_one(charge: float, load: float, first_s: float, second_s: float) -> None:
    whole = PHONE.after(charge, load, first_s + second_s)
    parts = PHONE.after(PHONE.after(charge, load, first_s), load, second_s)
    assume(min(whole, parts) > 0)
    assert parts == pytest.approx(whole, abs=1e-3)


@given(charges, charges, watts)
def test_more_charge_is_more_energy(first: float, second: float, load: float) -> None:
    low, high = sorted((first, second))
    assert PHONE.energy_j(low) <= PHONE.energy_j(high) + 1e-9
    assert 0 <= PHONE.usable_j(high, low, load) <= PHONE.energy_j(high, low) + 1e-6


def test_charging_stops_when_it_is_full() -> None:
    assert PHONE.after(0.5, -10.0, 600.0) > 0.5
    assert PHONE.after(0.99, -10.0, 36_000.0) == 1.0


@given(charges)
def test_the_voltage_rises_with_the_charge(charge: float) -> None:
    assert PHONE_OCV[0] <= PHONE.open_v(charge) <= PHONE_OCV[-1]
    assert PHONE.open_v(charge) <= PHONE.open_v(min(1.0, charge + 0.01))


@pytest.mark.parametrize(
    "figures",
    [
        {"capacity_wh": 0.0},
        {"resistance_ohm": -1.0},
        {"cut_off_v": math.nan},
        {"ocv": (3.0,)},
        {"ocv": (3.5, 3.4)},
        {"ocv": (0.0, 3.4)},
    ],
)
def test_figures_that_no_cell_has_are_refused(figures: dict) -> None:
    with pytest.raises(InvalidRequest):
        Battery(**figures)
