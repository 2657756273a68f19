"""Drift: learned from steps, weighed against belief, noticed when a plan's figures are off."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.topology import NodeId
from eapg_split.planner.drift import Drift

EDGE = NodeId("edge")
CLOUD = NodeId("cloud")


def told(drift: Drift, ratio: float, times: int, stage: str = "stage1") -> Drift:
    for _ in range(times):
        drift.observe(EDGE, stage, predicted_s=2.0, measured_s=2.0 * ratio)
    return drift


def test_nothing_is_corrected_before_anything_ran() -> None:
    assert Drift().factor(EDGE, "stage1") == 1.0
    assert not Drift().drifted(EDGE, "stage1")


@given(st.floats(0.1, 10), st.integers(12, 30))
def test_the_factor_comes_to_what_steps_really_take(ratio: float, times: int) -> None:
    assert told(Drift(), ratio, times).factor(EDGE, "stage1") == pytest.approx(ratio, rel=0.05)


@given(st.floats(1.01, 10))
def test_slow_and_fast_weigh_alike(ratio: float) -> None:
    drift = told(told(Drift(), ratio, 1), 1 / ratio, 1, "stage2")
    slow = told(Drift(), ratio, 1).factor(EDGE, "stage1")
    fast = told(Drift(), 1 / ratio, 1).factor(EDGE, "stage1")
    assert slow * fast == pytest.approx(1)
    assert drift.factor(EDGE, "stage1") == pytest.approx(slow)


def test_one_step_moves_a_measured_profile_half_way_and_replaces_a_guess() -> None:
    measured, guessed = Drift(), Drift()
    measured.observe(EDGE, "stage1", predicted_s=100, measured_s=400)
    guessed.observe(EDGE, "stage1", predicted_s=100, measured_s=400, uncertain=True)
    assert measured.factor(EDGE, "stage1") == pytest.approx(2, rel=0.01)
    assert guessed.factor(EDGE, "stage1") == pytest.approx(4, rel=0.01)


def test_a_short_step_that_took_a_moment_longer_says_little() -> None:
    drift = Drift()
    drift.observe(EDGE, "text", predicted_s=0.007, measured_s=0.09)
    assert not drift.drifted(EDGE, "text")
    assert drift.factor(EDGE, "stage4") < 1.1


def test_a_stage_that_has_not_run_borrows_from_the_others_of_its_node_only() -> None:
    drift = told(Drift(), 4.0, 20)
    assert 1.5 < drift.factor(EDGE, "stage4") < drift.factor(EDGE, "stage1")
    assert drift.factor(CLOUD, "stage4") == 1.0


def test_a_drift_of_more_than_a_quarter_is_noticed_until_a_plan_knows_it() -> None:
    drift = told(Drift(), 1.2, 20)
    assert not drift.drifted(EDGE, "stage1")
    told(drift, 1.5, 20)
    assert drift.drifted(EDGE, "stage1")
    drift.rebase()
    assert not drift.drifted(EDGE, "stage1")
    told(drift, 1.0, 20)
    assert drift.drifted(EDGE, "stage1")


@pytest.mark.parametrize("predicted_s", [0.0, -1.0, math.nan, math.inf])
def test_what_is_not_a_duration_is_passed_over(predicted_s: float) -> None:
    drift = Drift()
    drift.observe(EDGE, "stage1", predicted_s=predicted_s, measured_s=1.0)
    drift.observe(EDGE, "stage1", predicted_s=1.0, measured_s=predicted_s)
    assert drift.factor(EDGE, "stage1") == 1.0


def test_one_hiccup_of_a_thousand_times_is_bounded() -> None:
    drift = told(Drift(), 1.0, 20)
    told(drift, 1000.0, 1)
    assert drift.factor(EDGE, "stage1") < 3
