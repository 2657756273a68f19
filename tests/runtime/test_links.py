"""What is known of links, and what `auto` makes of it."""

import threading

import numpy as np
import pytest

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Fidelity, payload_of
from eapg_split.codecs.choice import Speed
from eapg_split.domain.latent import Latent
from eapg_split.runtime.events import Goodput
from eapg_split.runtime.links import LinkRates, on_link


def sample(megabits_per_s: float, *, source: str = "device", target: str = "edge") -> Goodput:
    return Goodput(source, target, 125_000, 1 / megabits_per_s, 0.0)


def test_a_link_is_unknown_until_something_crossed_it() -> None:
    rates = LinkRates()
    assert rates.bits_per_s("device", "edge") is None
    rates.observe(sample(8))
    assert rates.bits_per_s("device", "edge") == pytest.approx(8e6)
    assert rates.bits_per_s("edge", "device") is None


def test_newer_samples_count_for_more_and_one_outlier_does_not_decide() -> None:
    rates = LinkRates()
    for megabits in (10, 10, 10, 100):
        rates.observe(sample(megabits))
    once = rates.bits_per_s("device", "edge")
    assert once is not None
    assert 10e6 < once < 50e6
    for _ in range(20):
        rates.observe(sample(100))
    assert rates.bits_per_s("device", "edge") == pytest.approx(100e6, rel=0.01)


def test_what_is_remembered_is_bounded() -> None:
    rates = LinkRates()
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
