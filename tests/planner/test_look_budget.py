"""Looks at a plan that nothing but a step asks for take a hundredth of the time."""

import pytest

from eapg_split.planner.look_budget import SHARE, LookBudget


def looks_in(seconds: float, *, step_s: float, look_s: float) -> int:
    """How often a job is looked at whose steps and looks take so long."""
    budget, now_s, looks = LookBudget(), 0.0, 0
    while now_s < seconds:
        now_s += step_s
        if budget.affords(now_s):
            now_s, looks = now_s + look_s, looks + 1
            budget.looked(look_s, now_s)
    return looks


@pytest.mark.parametrize("step_s", [0.001, 0.02, 0.1])
@pytest.mark.parametrize("look_s", [0.002, 0.01, 0.1])
def test_looks_take_no_more_than_their_share(step_s: float, look_s: float) -> None:
    looks = looks_in(100.0, step_s=step_s, look_s=look_s)
    assert looks * look_s <= SHARE * 100.0 + 2 * look_s  # two are free
    assert looks * look_s >= 0.5 * SHARE * 100.0, "and not much less, where steps are short"


def test_every_step_of_some_length_is_looked_at() -> None:
    assert looks_in(100.0, step_s=0.5, look_s=0.0025) == pytest.approx(200, abs=2)


def test_a_look_that_happened_to_be_slow_does_not_put_off_the_next_ones() -> None:
    budget = LookBudget()
    for seconds in (0.002, 0.002, 0.5):
        budget.looked(seconds, 10.0)
    assert not budget.affords(10.1)
    assert budget.affords(10.3)
    budget.looked(0.5, 10.3)  # it is slow
    assert not budget.affords(30.0)
    assert budget.affords(61.0)
