"""The entropy budget falls with the battery and with heat, and does not tremble."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.telemetry import Telemetry, reading
from eapg_split.domain.topology import Tier
from eapg_split.planner.models.entropy_budget import TIER_BITS, EntropyBudget, max_entropy

charges = st.floats(0, 1)
temperatures = st.floats(-40, 150)


def look(**values: float) -> Telemetry:
    return Telemetry.of({name: reading(name, value) for name, value in values.items()})


@pytest.mark.parametrize(
    ("charge", "temperature_c", "share"),
    [(1.0, 41.0, 0.5), (0.5, 41.0, 0.5), (0.275, 41.0, 0.25), (0.05, 41.0, 0.075), (0.0, 41.0, 0.075)],
)
def test_the_formula(charge: float, temperature_c: float, share: float) -> None:
    assert max_entropy(5e6, charge, temperature_c) == pytest.approx(5e6 * share)


def test_cool_and_full_is_nearly_all_of_it() -> None:
    assert max_entropy(2e6, 1.0, 25.0) > 0.999 * 2e6
    assert max_entropy(2e6, math.nan, math.nan) == max_entropy(2e6, 1.0, 25.0)
    assert TIER_BITS == {Tier.DEVICE: 2e6, Tier.EDGE: 5e6, Tier.CLOUD: 4e7}


@given(charges, charges, temperatures)
def test_it_falls_with_the_battery(first: float, second: float, temperature_c: float) -> None:
    low, high = sorted((first, second))
    assert 0 < max_entropy(1.0, low, temperature_c) <= max_entropy(1.0, high, temperature_c) <= 1


@given(charges, temperatures, temperatures)
def test_it_falls_with_heat(charge: float, first: float, second: float) -> None:
    cool, hot = sorted((first, second))
    assert 0 < max_entropy(1.0, charge, hot) <= max_entropy(1.0, charge, cool) <= 1


def test_what_is_unknown_limits_nothing() -> None:
    assert EntropyBudget(Tier.EDGE).seen(Telemetry()) == max_entropy(5e6, 1.0, 25.0)
    assert EntropyBudget(Tier.EDGE, bits=7e6).seen(Telemetry()) == max_entropy(7e6, 1.0, 25.0)


def test_on_mains_the_battery_does_not_count() -> None:
    assert EntropyBudget(Tier.DEVICE).seen(look(charge=0.1, plugged=1)) == max_entropy(2e6, 1.0, 25.0)
    assert EntropyBudget(Tier.DEVICE).seen(look(charge=0.1, plugged=0)) < 0.2 * 2e6
    assert EntropyBudget(Tier.DEVICE).seen(look(charge=0.1)) < 0.2 * 2e6


def test_it_follows_only_what_has_really_changed() -> None:
    budget = EntropyBudget(Tier.DEVICE)
    first = budget.seen(look(charge=0.4, temperature_c=40.0))
    assert budget.seen(look(charge=0.42, temperature_c=40.9)) == first
    assert budget.seen(look(charge=0.38, temperature_c=39.1)) == first
    hotter = budget.seen(look(charge=0.4, temperature_c=41.0))
    assert hotter == max_entropy(2e6, 0.4, 41.0) < first
    assert budget.seen(look(charge=0.37, temperature_c=41.0)) == max_entropy(2e6, 0.37, 41.0)


@given(st.lists(st.tuples(charges, st.floats(20, 50)), min_size=1, max_size=30))
def test_it_is_never_further_off_than_one_step(looks: list[tuple[float, float]]) -> None:
    budget = EntropyBudget(Tier.CLOUD)
    for charge, temperature_c in looks:
        found = budget.seen(look(charge=charge, temperature_c=temperature_c))
        low = max_entropy(4e7, charge - 0.03, temperature_c + 1)
        high = max_entropy(4e7, charge + 0.03, temperature_c - 1)
        assert low * (1 - 1e-9) <= found <= high * (1 + 1e-9)


def test_a_headroom_counts_before_degrees() -> None:
    """A processor at 70 C that throttles at 100 C is as cool as a phone's skin at 14 C."""
    cool = EntropyBudget(Tier.EDGE).seen(look(temperature_c=70.0, headroom=0.0))
    assert cool > 0.99 * 5e6
    hot = EntropyBudget(Tier.EDGE).seen(look(temperature_c=97.0, headroom=0.9))
    assert hot == pytest.approx(max_entropy(5e6, 1.0, 41.0))
