"""Only a link that had no pause tells its rate."""

import pytest

from eapg_split.planner.link_rates import LEAST_BYTES
from eapg_split.runtime.goodput import Sample, Trip, samples

PART = 2 * LEAST_BYTES


def _over_a_link(
    ready_s: list[float], rate: float, *, delay_s: float = 0.02, offset_s: float = 1000.0
) -> list[Trip]:
    """When parts of PART bytes arrive that are ready at these moments; the clocks differ by `offset_s`."""
    trips, free_s = [], 0.0
    for ready in ready_s:
        free_s = max(free_s, ready) + PART / rate
        trips.append(Trip(PART, ready, free_s + delay_s + offset_s))
    return trips


@pytest.mark.parametrize("delay_s", [0.0, 0.2])
@pytest.mark.parametrize("offset_s", [0.0, -5e4, 5e4])
def test_a_sender_that_never_waits_shows_the_rate(delay_s: float, offset_s: float) -> None:
    trips = _over_a_link([0.0] * 5, 1e6, delay_s=delay_s, offset_s=offset_s)
    found = samples(trips)
    assert [sample.last for sample in found] == [1, 2, 3, 4]
    assert all(sample.size_bytes / sample.seconds == pytest.approx(1e6, rel=1e-3) for sample in found)


def test_what_waited_for_the_encoder_is_dropped() -> None:
    slow_encoder = [index * 3 * PART / 1e6 for index in range(5)]
    assert samples(_over_a_link(slow_encoder, 1e6)) == ()
    one_pause = [0.0, 0.0, 0.0, 9.0, 9.0, 9.0]
    assert [sample.last for sample in samples(_over_a_link(one_pause, 1e6))] == [1, 2, 4, 5]


def test_what_a_busy_receiver_saw_is_dropped() -> None:
    trips = _over_a_link([0.0] * 4, 1e6)
    late = Trip(trips[1].size_bytes, trips[1].ready_s, trips[1].arrived_s, late=True)
    assert [sample.last for sample in samples([trips[0], late, *trips[2:]])] == [3]


def test_parts_of_one_message_are_one_trip() -> None:
    # one part, then messages of two: each pair arrives at one moment
    trips = [Trip(PART, 0.0, 1.0)]
    for message in (1, 2):
        trips += [Trip(PART, 0.0, 1.0 + 2 * message * PART / 1e6)] * 2
    found = samples(trips)
    assert [sample.last for sample in found] == [2, 4]
    assert all(sample.size_bytes / sample.seconds == pytest.approx(1e6) for sample in found)
    late = [*trips[:2], Trip(PART, 0.0, trips[2].arrived_s, late=True), *trips[3:]]
    assert samples(late) == ()


def test_small_parts_are_joined() -> None:
    trips = [Trip(1000, 0.0, 1.0 + index) for index in range(5)]
    assert samples(trips) == (Sample(4000, 4.0, 4),)


@pytest.mark.parametrize("count", [0, 1])
def test_one_part_says_nothing(count: int) -> None:
    assert samples([Trip(PART, 0.0, 1.0)] * count) == ()


def test_parts_of_one_moment_say_nothing() -> None:
    assert samples([Trip(PART, 0.0, 1.0)] * 3) == ()
