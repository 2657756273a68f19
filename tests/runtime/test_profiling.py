"""Profiling: fits recover known costs, time budgets hold, sensors are used, and none of it needs a real engine."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import Quality, Reading, Telemetry
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.runtime.profiling import Bench, Sample, fitted, made_up, measure

STAGES = ("text", "stage1", "stage2", "stage3", "stage4", "decode")
COSTS = {
    name: StageCost(0.001 * index, (index + 1) * 1e10, entry_flops_per_s=(index + 1) * 2e9)
    for index, name in enumerate(STAGES)
}
LOAD_S = 0.25


@cache
def zeros(spec: LatentSpec) -> dict[str, NDArray[np.float32]]:
    arrays = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in spec.tensors}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def empty(spec: LatentSpec) -> Latent:
    """A new state over the same arrays: nothing here reads them."""
    return Latent(zeros(spec))


@pytest.fixture(autouse=True)
def _cheap_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eapg_split.runtime.profiling.made_up", empty)


class PricedEngine:
    """Computes nothing and moves a clock on by what its costs say. `slower` is of the whole machine."""

    kind = "priced"
    fingerprint = "f" * 64

    def __init__(self, slower: float = 1.0, jitter: Callable[[], float] = lambda: 1.0) -> None:
        self.now_s = 0.0
        self.runs = 0
        self._slower = slower
        self._jitter = jitter
        self._loaded: set[str] = set()
        self._entered: Latent | None = None

    def clock(self) -> float:
        return self.now_s

    def prepare(self, parts: Iterable[str]) -> None:
        for part in set(parts) - self._loaded:
            self.now_s += LOAD_S
            self._loaded.add(part)

    def unroll(self, request: Request) -> Workload:
        return unroll(request)

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        stage = workload.stage_of(step)
        assert state.spec == workload.spec_after(step - 1)
        assert set(stage.parts) <= self._loaded
        if step == stage.start_step and state is not self._entered:
            self._pass(COSTS[stage.name].entry_seconds(stage.entry_flops))
            self._entered = state
        self._pass(COSTS[stage.name].seconds(stage.flops_per_step) * self._jitter())
        return empty(workload.spec_after(step))

    def decode(self, workload: Workload, state: Latent) -> Iterator[NDArray[np.uint8]]:
        self._pass(COSTS["decode"].seconds(workload.stages[-1].flops_per_step))
        yield np.zeros((1, 1, 3), np.uint8)

    def preview(self, workload: Workload, step: int, state: Latent) -> NDArray[np.uint8]:
        raise AssertionError("nobody asked for a preview")

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        return DEFAULT_FIDELITY

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds * self._slower
        self.runs += 1


def bench(engine: PricedEngine, budget_s: float = 60.0) -> Bench:
    return Bench(engine, budget_s=budget_s, clock=engine.clock)


def test_known_costs_are_recovered() -> None:
    found = measure(bench(PricedEngine()))
    assert tuple(found) == STAGES
    for name in STAGES[1:]:
        assert found[name].flops_per_s == pytest.approx(COSTS[name].flops_per_s, rel=1e-6)
        assert found[name].overhead_s == pytest.approx(COSTS[name].overhead_s, abs=1e-9)
        assert not found[name].uncertain
    # the text step is the same at any size: nothing tells its overhead from its rate, and nothing needs to
    assert found["text"].seconds(0.3e9) == pytest.approx(COSTS["text"].seconds(0.3e9))
    for name in ("stage2", "stage3", "stage4"):
        assert found[name].entry_flops_per_s == pytest.approx(COSTS[name].entry_flops_per_s, rel=1e-6)
    assert found["stage1"].entry_seconds(1e9) == 0


def test_loading_counts_every_part_of_a_stage() -> None:
    found = measure(bench(PricedEngine()))
    assert found["text"].load_s == pytest.approx(LOAD_S)
    assert found["stage3"].load_s == pytest.approx(2 * LOAD_S)
    assert found["stage4"].load_s == pytest.approx(3 * LOAD_S)


def test_what_others_do_meanwhile_is_not_measured() -> None:
    noise = np.random.default_rng(1)
    found = measure(bench(PricedEngine(jitter=lambda: float(noise.choice([1.0, 3.0, 5.0]))), budget_s=600.0))
    for name in ("stage1", "stage4"):
        assert found[name].seconds(1e10) == pytest.approx(COSTS[name].seconds(1e10), rel=0.01)


@pytest.mark.parametrize("slower", [0.1, 1.0, 3.0, 8.0])
def test_the_budget_of_time_is_kept_by_taking_a_smaller_clip(slower: float) -> None:
    engine = PricedEngine(slower)
    found = measure(bench(engine, budget_s=40.0))
    assert engine.now_s < 50 + 7 * LOAD_S
    assert found["stage4"].flops_per_s == pytest.approx(COSTS["stage4"].flops_per_s / slower, rel=1e-3)


def test_costs_are_those_at_full_clock_and_watts_are_read_where_there_is_a_meter() -> None:
    threads = set()

    def look() -> Telemetry:
        threads.add(threading.current_thread().name)
        return Telemetry(power_w=Reading(12.5, Quality.MEASURED), clock_ratio=Reading(0.5, Quality.MEASURED))

    engine = PricedEngine()
    found = measure(replace(bench(engine), look=look))
    assert found["stage4"].joules_per_s == pytest.approx(12.5)
    assert found["stage4"].flops_per_s == pytest.approx(2 * COSTS["stage4"].flops_per_s, rel=1e-6)
    assert all(cost.joules_per_s is None for cost in measure(bench(PricedEngine())).values())


def test_progress_goes_from_nothing_to_everything() -> None:
    heard: list[tuple[str, float]] = []
    measure(replace(bench(PricedEngine()), progress=lambda text, share: heard.append((text, share))))
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_made_up_state_has_the_shape_and_arrays_of_its_own() -> None:
    spec = LatentSpec.of(xbar=(1, 2, 3), text=(4,))
    first, second = made_up(spec), made_up(spec)
    assert first.spec == spec
    assert first == second
    assert all(first[name] is not second[name] for name in first)
    assert np.isfinite(first["xbar"]).all()


@given(
    st.floats(1e6, 1e12), st.floats(1.0, 100), st.floats(1e-6, 100), st.floats(1e-6, 100), st.floats(0, 10)
)
def test_a_fit_is_never_impossible_and_goes_through_the_larger_size(
    flops: float, growth: float, small_s: float, large_s: float, entry_s: float
) -> None:
    small = Sample(flops, small_s, 1e6, small_s)
    large = Sample(flops * growth, large_s, 1e6 * growth, large_s + entry_s)
    cost = fitted(small, large)
    assert cost.overhead_s >= 0
    assert cost.seconds(large.flops) == pytest.approx(large_s, rel=1e-6)
    if entry_s > 1e-3:
        assert cost.entry_seconds(large.entry_flops) == pytest.approx(entry_s, rel=1e-3)
