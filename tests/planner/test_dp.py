"""The backward pass on its own."""

from dataclasses import replace

import numpy as np
import pytest

from eapg_split.planner import charges
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp import Table
from eapg_split.planner.solve import goal_weights, solve
from tests.planner.brute import every
from tests.planner.instances import view


def table_of(seed: int) -> tuple[CostTables, Table]:
    tables = CostTables.of(view(seed))
    return tables, Table.of(charges.objective(tables, goal_weights(tables)))


def test_value_is_the_least_over_all_paths() -> None:
    for seed in range(150):
        tables, table = table_of(seed)
        paths = every(tables.view)
        least = min((plan.objective for plan in paths), default=np.inf)
        assert table.value[0, tables.holder] == pytest.approx(least, rel=1e-9)


def test_a_replan_at_any_boundary_and_node_is_a_look_up() -> None:
    """What the table says of the middle is what a new plan from there finds."""
    looked_up = 0
    for seed in range(60):
        tables, table = table_of(seed)
        seen = tables.view
        for boundary in range(1, tables.steps):
            for node, name in enumerate(tables.nodes):
                later = replace(seen, start_step=boundary, at=name)
                fresh = CostTables.of(later)
                again = Table.of(charges.objective(fresh, goal_weights(fresh)))
                if not np.array_equal(fresh.open_moves[0], tables.open_moves[boundary]):
                    continue  # resuming asks for the device's codec, too
                assert table.value[boundary, node] == pytest.approx(again.value[0, node], rel=1e-9)
                if np.isfinite(table.value[boundary, node]):
                    assert table.path(node, boundary) == again.path(node) == solve(later).path
                    looked_up += 1
    assert looked_up > 100


def test_the_second_best_path_is_the_best_of_the_others() -> None:
    for seed in range(150):
        tables, table = table_of(seed)
        best = table.path(tables.holder)
        others = [plan for plan in every(tables.view) if plan.path != best]
        second = table.second_best(tables.holder, best)
        if second is None:
            assert not others
        else:
            found = next(plan for plan in others if plan.path == second)
            assert found.objective == pytest.approx(min(plan.objective for plan in others), rel=1e-9)
