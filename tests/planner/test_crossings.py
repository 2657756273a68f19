"""A threshold is told once when it is crossed, and not again for a value that trembles on it."""

from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.telemetry import RANGES, Quality, Reading, Telemetry, reading
from eapg_split.domain.topology import NodeId
from eapg_split.planner.crossings import HEAT_C, Bands, Crossings
from eapg_split.planner.policy import Occasion, Trigger

PHONE = NodeId("phone")


def look(at_s: float = 0.0, **values: float) -> Telemetry:
    return Telemetry(at_s=at_s, **{name: reading(name, value) for name, value in values.items()})  # type: ignore[arg-type]


def told(*looks: Telemetry) -> list[Occasion]:
    crossings = Crossings(PHONE)
    return [occasion for each in looks for occasion in crossings.seen(each)]


def test_the_first_look_tells_nothing() -> None:
    assert told(look(temperature_c=60, charge=0.02, plugged=0, clock_ratio=0.3, queue_s=50)) == []


def test_heat_is_told_once_in_each_direction() -> None:
    temperatures = (33, 33.9, 34.1, 33.5, 34.2, 34.0, 32.9, 33.5)
    occasions = told(*(look(temperature_c=value) for value in temperatures))
    assert [occasion.reason for occasion in occasions] == [
        "phone got hotter: 34.1 C.",
        "phone got cooler: 32.9 C.",
    ]
    assert all(occasion.trigger is Trigger.HEAT and occasion.node == PHONE for occasion in occasions)


def test_a_slower_clock_is_heat_too() -> None:
    (occasion,) = told(look(clock_ratio=1.0), look(clock_ratio=0.62))
    assert occasion.trigger is Trigger.HEAT
    assert "62%" in occasion.reason


def test_the_battery_tells_its_charge_and_where_its_power_comes_from() -> None:
    occasions = told(
        look(charge=0.31, plugged=1), look(charge=0.29, plugged=0), look(charge=0.31), look(charge=0.34)
    )
    assert [occasion.trigger for occasion in occasions] == [Trigger.BATTERY] * 3
    assert "29%" in occasions[0].reason
    assert "on battery" in occasions[1].reason
    assert "rose to 34%" in occasions[2].reason


def test_a_queue_that_shrinks_with_time_is_no_news() -> None:
    assert told(look(0, queue_s=20), look(10, queue_s=10), look(30, queue_s=0)) == []
    (longer,) = told(look(0, queue_s=20), look(1, queue_s=40), look(2, queue_s=39))
    assert longer.trigger is Trigger.QUEUE
    (sooner,) = told(look(0, queue_s=20), look(1, queue_s=0), look(60, queue_s=0.5))
    assert "0.0 s" in sooner.reason


@given(st.lists(st.sampled_from(sorted(RANGES)), max_size=20))
def test_what_is_unknown_crosses_nothing(names: list[str]) -> None:
    crossings = Crossings(PHONE)
    crossings.seen(look(temperature_c=40, charge=0.5, plugged=1, clock_ratio=0.7, queue_s=3))
    for _ in names:
        assert crossings.seen(Telemetry()) == ()


@given(st.lists(st.floats(20, 100), min_size=2, max_size=50))
def test_bands_agree_with_their_edges(values: list[float]) -> None:
    band = HEAT_C.band(values[0])
    for value in values:
        band = HEAT_C.band(value, band)
        low = HEAT_C.edges[band - 1] - HEAT_C.hysteresis if band else float("-inf")
        high = HEAT_C.edges[band] if band < len(HEAT_C.edges) else float("inf")
        assert low <= value < high


def test_bands_without_hysteresis_are_a_count() -> None:
    assert [Bands((0.5,), 0.0).band(value, 1) for value in (0.0, 0.5, 1.0)] == [0, 1, 1]


def test_readings_are_known_or_unknown_and_never_zero_by_accident() -> None:
    assert reading("charge", None).quality is Quality.UNKNOWN
    assert not reading("charge", float("nan")).known
    assert not reading("temperature_c", 1e9).known
    assert not reading("power_w", -1.0).known
    assert reading("power_w", 0.0, Quality.MODELLED) == Reading(0.0, Quality.MODELLED)


def test_a_node_that_stops_is_news_once() -> None:
    crossings = Crossings(PHONE)
    assert crossings.seen(Telemetry()) == ()
    (occasion,) = crossings.seen(Telemetry(draining=True))
    assert (occasion.trigger, occasion.node) == (Trigger.NODE, PHONE)
    assert crossings.seen(Telemetry(draining=True)) == ()
