"""What every estimator of a link's rate owes, and how near they come on recorded traces."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.planner.estimators import ESTIMATORS, BandwidthEstimator, Ewma, RateEstimate

PRIOR = RateEstimate(10e6, 0.7)
TRACES = Path(__file__).resolve().parents[3] / "shared" / "traces" / "abr-hsdpa-oboe"
rates = st.floats(1e4, 1e9)
every = pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
Make = Callable[[RateEstimate], BandwidthEstimator]


@every
def test_before_anything_was_seen_the_prior_holds(make: Make) -> None:
    assert make(PRIOR).estimate(1e6) == PRIOR


@every
@given(series=st.lists(rates, min_size=1, max_size=40))
def test_an_estimate_lies_within_what_was_seen(make: Make, series: list[float]) -> None:
    estimator = make(PRIOR)
    for second, rate in enumerate(series):
        estimator.observe(rate, second)
    found = estimator.estimate(len(series) - 1)
    low, high = min(*series, PRIOR.bits_per_s), max(*series, PRIOR.bits_per_s)
    assert low * (1 - 1e-9) <= found.bits_per_s <= high * (1 + 1e-9)
    assert found.sigma > 0
    assert found.age_s == 0


@every
@given(rate=rates)
def test_a_steady_link_is_known_well_soon(make: Make, rate: float) -> None:
    estimator = make(PRIOR)
    for second in range(40):
        estimator.observe(rate, second)
    found = estimator.estimate(39)
    assert found.bits_per_s == pytest.approx(rate, rel=0.02)
    assert found.sigma < 0.6 * PRIOR.sigma


@every
@given(ages=st.lists(st.floats(0, 1e4), min_size=2, max_size=10))
def test_age_widens_and_leads_back_to_the_prior(make: Make, ages: list[float]) -> None:
    estimator = make(PRIOR)
    for second in range(30):
        estimator.observe(80e6, second)
    found = [estimator.estimate(29 + age) for age in sorted(ages)]
    for earlier, later in pairwise(found):
        assert later.sigma >= earlier.sigma - 1e-12
        assert later.bits_per_s <= earlier.bits_per_s * (1 + 1e-9)
    assert estimator.estimate(29 + 60).sigma >= PRIOR.sigma - 1e-9
    assert estimator.estimate(29 + 59).bits_per_s == pytest.approx(80e6, rel=0.02)
    assert 10e6 < estimator.estimate(29 + 260).bits_per_s < 45e6
    assert estimator.estimate(29 + 1e5).bits_per_s == pytest.approx(PRIOR.bits_per_s)


@every
@pytest.mark.parametrize(
    ("rate", "weight"), [(math.nan, 1), (math.inf, 1), (-1e6, 1), (1e6, 0), (1e6, -1), (1e6, math.nan)]
)
def test_what_is_no_rate_is_ignored(make: Make, rate: float, weight: float) -> None:
    estimator, untouched = make(PRIOR), make(PRIOR)
    for each in (estimator, untouched):
        each.observe(5e6, 0.0)
    estimator.observe(rate, 0.0, weight)
    assert estimator.estimate(0.0) == untouched.estimate(0.0)


@every
def test_an_outage_is_a_rate_too(make: Make) -> None:
    estimator = make(PRIOR)
    for second in range(40):
        estimator.observe(0.0, second)
    assert estimator.estimate(39).bits_per_s < 2e3


@every
def test_clocks_that_go_back_do_no_harm(make: Make) -> None:
    estimator = make(PRIOR)
    estimator.observe(5e6, 100.0)
    estimator.observe(5e6, 50.0)
    assert estimator.estimate(40.0).age_s == 0


def test_small_samples_count_for_less() -> None:
    whole, part = Ewma(PRIOR), Ewma(PRIOR)
    for estimator, weight in ((whole, 1.0), (part, 0.25)):
        estimator.observe(10e6, 0.0)
        estimator.observe(20e6, 1.0, weight)
    assert whole.estimate(1.0).bits_per_s == pytest.approx(13e6)
    assert 10e6 < part.estimate(1.0).bits_per_s < 11.5e6
    for _ in range(3):
        part.observe(20e6, 1.0, 0.25)
    assert part.estimate(1.0).bits_per_s == pytest.approx(13e6)


def test_quantiles_are_of_the_logarithm() -> None:
    found = RateEstimate(10e6, 0.5)
    assert found.quantile(0.0) == 10e6
    assert found.quantile(-1.645) == pytest.approx(10e6 * math.exp(-0.8225))


def _trace(path: Path) -> list[tuple[float, float]]:
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return [(float(time), 1e6 * float(rate)) for time, rate in lines]


@pytest.mark.skipif(
    not TRACES.is_dir(), reason="the recorded traces are not here; docs/telemetry.md says which"
)
@every
@pytest.mark.parametrize(("folder", "most_off"), [("cooked_3gp", 0.27), ("traces_oboe", 0.2)])
def test_recorded_links_are_foreseen(make: Make, folder: str, most_off: float) -> None:
    """One sample ahead, over every trace: how far off, and how often within 90 % bounds."""
    off, within, count = list[float](), 0, 0
    for path in sorted((TRACES / folder).iterdir())[:60]:
        estimator = make(PRIOR)
        for number, (time_s, rate) in enumerate(_trace(path)):
            found = estimator.estimate(time_s)
            if number > 5:
                off.append(abs(math.log(max(rate, 1e3) / found.bits_per_s)))
                within += found.quantile(-1.645) <= rate <= found.quantile(1.645)
                count += 1
            estimator.observe(rate, time_s)
    assert count > 2000
    assert median(off) < most_off
    assert within / count > 0.85


def test_two_samples_that_agree_begin_a_new_mean() -> None:
    """One that is far off is an outlier; the second one says that the link is another now."""
    ewma = Ewma()
    for at_s in range(5):
        ewma.observe(20e6, at_s)
    ewma.observe(1e6, 5.0, 0.5)
    once = ewma.estimate(5.0).bits_per_s
    assert 10e6 < once < 20e6
    ewma.observe(1.2e6, 6.0, 0.5)
    assert ewma.estimate(6.0).bits_per_s == pytest.approx(1.1e6)


def test_two_samples_that_are_off_in_different_ways_do_not() -> None:
    ewma = Ewma()
    ewma.observe(20e6, 0.0)
    ewma.observe(1e6, 1.0)
    ewma.observe(100e6, 2.0)
    assert 10e6 < ewma.estimate(2.0).bits_per_s < 50e6
