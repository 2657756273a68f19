"""Dominance of labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eapg_split.planner.labels import undominated


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 700), st.integers(1, 4), st.integers(1, 4))
def test_what_stays_is_just_what_nothing_beats(seed: int, labels: int, dimensions: int, groups: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 12, (labels, dimensions)).astype(float)
    group = random.integers(0, groups, labels)
    kept = undominated(group, values.T)
    for number in range(0, labels, 1 + labels // 60):
        rivals = values[kept][group[kept] == group[number]]
        beaten = (rivals <= values[number]).all(axis=1)
        assert beaten.any(), "something that stays is at least as good"
        if number in kept:
            assert beaten.sum() == 1, "nothing that stays beats or equals another"
    assert list(kept) == sorted(set(kept.tolist()))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_thinning_keeps_the_extremes(dimensions: int) -> None:
    values = np.stack([np.arange(100.0), np.arange(100.0)[::-1], np.zeros(100)][:dimensions], axis=1)
    kept = undominated(np.zeros(100, np.intp), values.T, most=7)
    assert len(kept) == 7
    assert {0, 99} <= set(kept.tolist())
