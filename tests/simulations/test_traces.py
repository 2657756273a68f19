import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.errors import InvalidRequest
from simulations import traces
from simulations.traces import LinkStatistics, RateTrace, read_mahimahi, read_throughput, synthetic

RECORDED = Path(__file__).parents[3] / "shared" / "traces" / "abr-hsdpa-oboe"


@given(
    st.lists(st.floats(0, 1e7), min_size=1, max_size=20),
    st.floats(0.1, 5.0),
    st.floats(0, 100),
    st.floats(1, 1e8),
)
def test_arrival_is_when_the_bits_have_passed(
    rates: list[float], step_s: float, now: float, bits: float
) -> None:
    trace = RateTrace(np.array(rates), step_s)
    end = trace.arrival(now, bits)
    assert end >= now
    assert trace.carried(end) - trace.carried(now) == pytest.approx(bits, rel=1e-6, abs=1e-3)


def test_a_transfer_over_a_known_trace_takes_what_it_must() -> None:
    trace = RateTrace(np.array([1e6, 4e6]))
    assert trace.arrival(0.5, 0.5e6 + 2e6) == pytest.approx(1.5)
    assert trace.arrival(0.0, 10e6) == pytest.approx(4.0)  # two whole rounds
    assert trace.at(3.2) == 4e6


@pytest.mark.parametrize("kind", ["LTE_UPLINK", "HSDPA", "OBOE", "LTE_4G", "MMWAVE_5G", "DRIVING_5G"])
def test_synthetic_traces_have_the_statistics_they_were_asked_for(kind: str) -> None:
    wanted: LinkStatistics = getattr(traces, kind)
    rates = synthetic(wanted, 100_000, seed=3).bits_per_s
    assert rates.mean() == pytest.approx(wanted.mean_bits_per_s, rel=0.12)
    assert rates.std() / rates.mean() == pytest.approx(wanted.variation, rel=0.15)
    for lag, correlation in ((1, wanted.lag1), (5, wanted.lag5)):
        assert np.corrcoef(rates[:-lag], rates[lag:])[0, 1] == pytest.approx(correlation, abs=0.12)


def test_the_same_seed_gives_the_same_trace() -> None:
    first, second = (synthetic(traces.DRIVING_5G, 300, seed=5).bits_per_s for _ in range(2))
    assert (first == second).all()
    assert (first != synthetic(traces.DRIVING_5G, 300, seed=6).bits_per_s).any()


def test_formats_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("0.0\t2\n0.5 4\n2.2 1\n")
    assert read_throughput(tmp_path / "a").bits_per_s.tolist() == [2e6, 4e6, 4e6]
    (tmp_path / "b").write_text("0\n10\n1500\n")
    assert read_mahimahi(tmp_path / "b").bits_per_s.tolist() == [24000, 12000]


@pytest.mark.parametrize("text", ["", "a b\n", "0 nan\n", "0 -3\n", "1 2\n0 2\n", "0\n"])
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad").write_text(text)
    with warnings.catch_warnings(), pytest.raises(InvalidRequest):
        warnings.simplefilter("ignore", UserWarning)  # numpy's, about an empty file
        read_throughput(tmp_path / "bad")


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded traces are not here")
@pytest.mark.parametrize(("folder", "kind"), [("cooked_3gp", traces.HSDPA), ("traces_oboe", traces.OBOE)])
def test_recorded_traces_have_the_statistics_that_are_written_down(folder: str, kind: LinkStatistics) -> None:
    rates = [read_throughput(path).bits_per_s for path in sorted((RECORDED / folder).iterdir())]
    assert np.concatenate(rates).mean() == pytest.approx(kind.mean_bits_per_s, rel=0.05)
    assert np.median([each.std() / each.mean() for each in rates]) == pytest.approx(kind.variation, rel=0.05)
