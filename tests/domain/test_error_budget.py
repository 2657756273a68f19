"""Every lossy cut gets the same, and together they stay within what was asked for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.error_budget import ErrorBudget


def test_one_cut_may_use_everything() -> None:
    budget = ErrorBudget(45.0)
    assert budget.share(0) == 1
    assert budget.target_db(1.0) == 45


@given(st.integers(1, 12), st.floats(20, 90))
def test_the_shares_of_a_plan_are_equal_and_make_up_the_whole(cuts: int, quality_db: float) -> None:
    budget, errors = ErrorBudget(quality_db), 0.0
    for to_come in reversed(range(cuts)):
        share = budget.share(to_come)
        assert share == pytest.approx(1 / cuts)
        errors += 10 ** (-budget.target_db(share) / 10)
        budget = budget.without(share)
    assert -10 * math.log10(errors) == pytest.approx(quality_db)
    assert budget.remaining == pytest.approx(0, abs=1e-9)


def test_a_new_plan_shares_what_is_left() -> None:
    budget = ErrorBudget(45.0)
    budget = budget.without(budget.share(1))
    assert budget.share(1) == pytest.approx(0.25)
    assert budget.target_db(0.25) == pytest.approx(45 + 6.02, abs=0.01)


def test_a_cut_beyond_the_plan_can_still_be_coded() -> None:
    spent = ErrorBudget(45.0).without(1.0)
    assert math.isfinite(spent.target_db(spent.share(0)))


@given(st.floats(20, 90), st.floats(1e-3, 1))
def test_what_a_cut_leaves_tells_its_share(quality_db: float, share: float) -> None:
    budget = ErrorBudget(quality_db)
    assert budget.share_of(budget.target_db(share)) == pytest.approx(share)
    assert budget.share_of(0.0) == 0.0
