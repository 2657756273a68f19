"""What is known of links, and what `auto` makes of it."""

import math
import threading
import time

import numpy as np
import pytest

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Fidelity, payload_of
from eapg_split.codecs.choice import Speed
from eapg_split.domain.latent import Latent
from eapg_split.errors import InvalidRequest
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.link_rates import STALE_S, LinkRates, Network
from eapg_split.planner.models.radio import Technology
from eapg_split.runtime.events import Goodput
from eapg_split.runtime.links import on_link


def sample(megabits_per_s: float, *, source: str = "device", target: str = "edge") -> Goodput:
    return Goodput(source, target, 125_000, 1 / megabits_per_s, 0.0)


def test_a_link_is_unknown_until_something_crossed_it() -> None:
    rates = LinkRates(clock=time.monotonic)
    assert rates.bits_per_s("device", "edge") is None
    rates.observe(sample(8))
    assert rates.bits_per_s("device", "edge") == pytest.approx(8e6)
    assert rates.bits_per_s("edge", "device") is None


def test_newer_samples_count_for_more_and_one_outlier_does_not_decide() -> None:
    rates = LinkRates(clock=time.monotonic)
    for megabits in (10, 10, 10, 100):
        rates.observe(sample(megabits))
    once = rates.bits_per_s("device", "edge")
    assert once is not None
    assert 10e6 < once < 50e6
    for _ in range(20):
        rates.observe(sample(100))
    assert rates.bits_per_s("device", "edge") == pytest.approx(100e6, rel=0.01)


def test_what_is_remembered_is_bounded() -> None:
    rates = LinkRates(clock=time.monotonic)
    for number in range(3000):
        rates.observe(sample(5, target=f"node{number}"))
    assert rates.bits_per_s("device", "node0") is None
    assert rates.bits_per_s("device", "node2999") is not None


async def test_only_auto_minds_the_link() -> None:
    assert await on_link(CODECS["clean"], 1e6) is CODECS["clean"]
    assert await on_link(CODECS["lossless"], None) is CODECS["lossless"]


async def test_codecs_are_not_measured_in_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    def measured(codec: object, clock: object) -> Speed:
        threads.add(threading.get_ident())
        return Speed(1e9, 1e9)

    monkeypatch.setattr("eapg_split.codecs.choice.measured_speed", measured)
    await on_link(CODECS["auto"], 1e6)
    assert threads
    assert threading.get_ident() not in threads


async def test_auto_sends_fewer_bytes_over_a_slow_link_than_over_a_fast_one() -> None:
    t, y, x = np.meshgrid(np.arange(16), np.arange(36), np.arange(64), indexing="ij")
    waves = np.stack([np.sin(0.1 * t + 0.2 * x + 0.15 * y + c) for c in range(12)])[None].astype(np.float32)
    latent, fidelity = Latent({"xbar": waves}), Fidelity({"xbar": 0.2})
    slow, fast = [
        payload_of(await on_link(CODECS["auto"], rate), latent, fidelity).body_bytes for rate in (1e6, 1e11)
    ]
    assert 2 * slow < fast


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_link_grows_stale_and_less_sure() -> None:
    clock = Clock()
    rates = LinkRates("device", clock=clock)
    assert rates.stale("device", "edge")
    assert rates.estimate("device", "edge") is None
    for _ in range(20):
        rates.observe(sample(80))
    assert not rates.stale("device", "edge")
    fresh = rates.estimate("device", "edge")
    clock.now_s += STALE_S + 1
    old = rates.estimate("device", "edge")
    assert rates.stale("device", "edge")
    assert fresh is not None
    assert old is not None
    assert old.sigma > fresh.sigma
    assert rates.stale("edge", "device")


def test_long_after_a_link_is_believed_to_be_as_others_of_its_kind() -> None:
    clock = Clock()
    rates = LinkRates("device", clock=clock)
    rates.expect("device", "edge", LinkEstimate(5e6, 0.04, 0.6))
    assert rates.bits_per_s("device", "edge") is None
    rates.observe(sample(80))
    rates.expect("device", "edge", LinkEstimate(1e6, 0.01, 0.6))  # too late
    found = rates.estimate("device", "edge")
    assert found is not None
    assert found.rtt_s == 0.04
    clock.now_s += 1e6
    assert rates.bits_per_s("device", "edge") == pytest.approx(5e6)


def test_the_shortest_round_trip_of_late_counts() -> None:
    clock = Clock()
    rates = LinkRates("device", clock=clock)
    for ends in ({}, {"source": "edge", "target": "device"}):
        rates.observe(sample(80, **ends))
    first = rates.estimate("device", "edge")
    assert first is not None
    assert math.isnan(first.rtt_s)
    for seconds in (0.03, 0.02, 0.5, -1.0, 0.0):
        rates.round_trip("device", "edge", seconds)
    assert [each.rtt_s for each in rates.sights()] == [0.02, 0.02]
    clock.now_s += 700
    rates.round_trip("device", "edge", 0.1)
    assert [each.rtt_s for each in rates.sights()] == [0.1, 0.1]


def test_a_round_trip_is_known_before_any_rate() -> None:
    rates = LinkRates("device", clock=Clock())
    prior = LinkEstimate(5e6, 0.04, 0.6)
    rates.round_trip("device", "cloud", 0.3)
    assert rates.estimate("device", "cloud") is None  # nobody says what such links carry
    for ends in (("device", "edge"), ("edge", "device")):
        rates.expect(*ends, prior)
        assert rates.estimate(*ends) is None
    rates.round_trip("device", "edge", 0.3)
    for ends in (("device", "edge"), ("edge", "device")):
        assert rates.estimate(*ends) == LinkEstimate(5e6, 0.3, 0.6)
        assert rates.stale(*ends)
        assert rates.bits_per_s(*ends) is None
    assert rates.sights() == ()


def test_what_has_not_come_back_takes_longer_than_that() -> None:
    rates = LinkRates("device", clock=Clock())
    rates.expect("device", "edge", LinkEstimate(5e6, 0.04, 0.6))
    for late_s, rtt_s in ((0.01, 0.04), (0.25, 0.25), (0.2, 0.25), (1.0, 1.0)):
        rates.late("device", "edge", late_s)
        found = rates.estimate("device", "edge")
        assert found is not None
        assert found.rtt_s == rtt_s
    rates.round_trip("device", "edge", 0.02)
    rates.late("device", "edge", 5.0)  # this one was held up: the way itself is shorter
    found = rates.estimate("device", "edge")
    assert found is not None
    assert found.rtt_s == 0.02


def test_what_others_are_told_is_bounded_and_newest_first() -> None:
    clock = Clock()
    rates = LinkRates("device", clock=clock)
    rates.expect("device", "silent", LinkEstimate(5e6))
    for number in range(100):
        clock.now_s += 1
        rates.observe(sample(5, target=f"node{number}"))
    sights = rates.sights()
    assert len(sights) == 64
    assert (sights[0].target, sights[0].age_s, sights[1].age_s) == ("node99", 0.0, 1.0)


def test_the_radio_of_this_node_costs_its_battery() -> None:
    rates = LinkRates("device", Network(Technology.LTE), clock=time.monotonic)
    for source, target in (("device", "edge"), ("edge", "device"), ("edge", "cloud")):
        rates.observe(sample(5, source=source, target=target))
    up, down, elsewhere = (
        rates.estimate(*ends) for ends in (("device", "edge"), ("edge", "device"), ("edge", "cloud"))
    )
    assert up is not None
    assert down is not None
    assert elsewhere is not None
    assert up.joules_per_byte > down.joules_per_byte > 0 == elsewhere.joules_per_byte


def test_small_samples_count_for_less() -> None:
    rates = LinkRates(clock=time.monotonic)
    rates.observe(sample(10))
    rates.observe(Goodput("device", "edge", 1000, 1000 * 8 / 100e6, 0.0))
    rate = rates.bits_per_s("device", "edge")
    assert rate is not None
    assert 10e6 < rate < 11e6


def test_a_sample_without_a_duration_says_nothing() -> None:
    rates = LinkRates(clock=time.monotonic)
    rates.observe(Goodput("device", "edge", 1000, 0.0, 0.0))
    assert rates.bits_per_s("device", "edge") is None


def test_networks_say_whether_they_may_be_probed() -> None:
    assert Network().may_probe
    assert Network(Technology.WIFI).may_probe
    assert not Network(Technology.LTE).may_probe
    assert not Network(Technology.WIFI, metered=True).may_probe
    assert Network(Technology.LTE, metered=False).may_probe
    assert Network(Technology.LTE, probe_metered=True).may_probe
    with pytest.raises(InvalidRequest, match="ewma"):
        Network(estimator="guess")
