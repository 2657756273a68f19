"""The radio's figures against the ones that were published."""

import pytest

from eapg_split.planner.models.radio import RADIOS, Technology


def test_every_technology_has_a_radio() -> None:
    assert set(RADIOS) == set(Technology)
    assert [each for each in Technology if each.metered] == ["lte", "nsa-low", "mmwave"]


@pytest.mark.parametrize(
    ("technology", "joules_per_megabyte"), [("lte", 0.61), ("nsa-low", 0.26), ("mmwave", 0.07)]
)
def test_joules_per_megabyte_sent(technology: str, joules_per_megabyte: float) -> None:
    sending = RADIOS[Technology(technology)].sending
    assert 1e6 * sending.joules_per_byte == pytest.approx(joules_per_megabyte, abs=0.01)


def test_a_transfer_costs_what_the_fit_says() -> None:
    """10 Mbit/s of LTE uplink for 8 s: 10 MB at 2.93 W + 767 mW."""
    assert RADIOS[Technology.LTE].sending.joules(10e6, 8.0) == pytest.approx(8 * (2.93 + 0.767))


def test_sending_never_costs_less_than_receiving() -> None:
    for radio in RADIOS.values():
        assert radio.sending.joules_per_byte >= radio.receiving.joules_per_byte
        assert radio.sending.joules(1e6, 1.0) >= radio.receiving.joules(1e6, 1.0) > 0
