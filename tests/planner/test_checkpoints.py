"""When a state is worth its way home: wherever it is there within a step, and little of the time where it is not."""

import pytest

from eapg_split.planner.checkpoints import (
    AHEAD,
    Journey,
    Journeys,
    Moment,
    spare_message_bytes,
    worth_sending,
)

STEP = Moment(step_s=1, at_risk_s=1, left_s=3)


@pytest.mark.parametrize(
    ("journey", "moment", "worth"),
    [
        (Journey(0.4, 0.05), STEP, True),
        (Journey(1.0, 0.05), STEP, True),  # home when the next one is there
        (Journey(1.1, 0.05), STEP, False),  # it would be in the way of the next one
        (
            Journey(1.1, 0.05),
            Moment(step_s=1, at_risk_s=5, left_s=3),
            True,
        ),  # but by now it saves four times that
        (Journey(1.1, 0.05), Moment(step_s=1, at_risk_s=5, left_s=1), False),  # the result would wait for it
        (Journey(0.3, 0.2), STEP, False),  # the engine would
        (Journey(0.3, 0.2), Moment(step_s=1, at_risk_s=2, left_s=3), True),
        (Journey(0.0, 0.0), Moment(step_s=0, at_risk_s=0, left_s=0), True),
    ],
)
def test_worth_sending(journey: Journey, moment: Moment, worth: bool) -> None:
    assert worth_sending(journey, moment) is worth


def test_what_is_not_known_is_tried_and_what_is_believed_is_doubted() -> None:
    assert Journeys().expected(10**7) == Journey(0.0, 0.0)
    believed = Journeys(8e6)
    assert believed.expected(10**6) == Journey(0.25, 0.0)  # a second, were it so
    assert not worth_sending(believed.expected(10**7), STEP)


def test_journeys_are_expected_to_be_like_the_best_of_the_last_ones() -> None:
    journeys = Journeys(1e3)
    journeys.took(1000, Journey(0.2, 0.02))
    assert journeys.expected(1000) == Journey(0.2, 0.02)
    assert journeys.expected(500) == Journey(0.1, 0.01)
    for _ in range(2):
        journeys.took(1000, Journey(9.0, 0.5))  # by chance
        assert journeys.expected(1000) == Journey(0.2, 0.02)
    journeys.took(1000, Journey(9.0, 0.5))  # not by chance
    assert journeys.expected(1000) == Journey(9.0, 0.5)
    journeys.took(0, Journey(0.0, 0.0))  # all of it was named, which says nothing
    assert journeys.expected(1000) == Journey(9.0, 0.5)


def test_a_larger_state_takes_what_its_further_bytes_take_on_the_link() -> None:
    journeys = Journeys(1e6)
    journeys.took(1000, Journey(0.2, 0.02))
    assert journeys.expected(501_000) == Journey(1.2, 0.02)  # four seconds, were it as it is believed to be
    fast = Journeys(1e6)
    fast.took(100_000, Journey(0.1, 0.02))
    assert fast.expected(500_000).home_s == pytest.approx(0.2)  # it showed that it is better
    unknown = Journeys()
    unknown.took(1000, Journey(0.2, 0.02))
    assert unknown.expected(10**6) == Journey(0.2, 0.02)


@pytest.mark.parametrize(("step_s", "bits_per_s"), [(0.1, 20e6), (0.1, 100e6), (1.0, 4e6)])
@pytest.mark.parametrize("delay_s", [0.001, 0.05])
def test_no_more_than_one_step_is_at_risk_where_a_link_carries_a_state_within_a_step(
    step_s: float, bits_per_s: float, delay_s: float
) -> None:
    """States of growing and shrinking size, one a step, over a link of which nothing is known at first."""
    sizes = [20_000] * 3 + [100_000] * 3 + [50_000] * 3
    journeys, covered = Journeys(), 0
    for step, size in enumerate(sizes, 1):
        moment = Moment(step_s, (step - covered) * step_s, (len(sizes) - step + 1) * step_s)
        assert worth_sending(journeys.expected(size), moment), step
        journeys.took(size, Journey(delay_s + 8 * size / bits_per_s, 0.001))
        covered = step


@pytest.mark.parametrize("bits_per_s", [0.0, 1e3, 0.5e6, 2e6, 10e6, 100e6, 1e10])
def test_a_result_waits_a_tenth_of_a_second_at_most_for_a_state_on_its_way(bits_per_s: float) -> None:
    size = spare_message_bytes(bits_per_s)
    assert 2**14 <= size <= 2**17
    if bits_per_s >= 3e6:
        assert AHEAD * 8 * size / bits_per_s <= 0.1
    else:  # no smaller: each message costs both ends some time
        assert size < 2**15
