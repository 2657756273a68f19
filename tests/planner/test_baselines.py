"""Each baseline where its answer can be computed by hand, and where it is known to be wrong."""

import math
from dataclasses import replace
from itertools import product

import pytest

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner import POLICIES, resolve
from eapg_split.planner.cost import CostTables
from eapg_split.planner.optimal import optimal_plan
from eapg_split.planner.policy import Objective, PlanView
from eapg_split.planner.solve import price
from eapg_split.testing.views import random_view
from tests.planner.situations import (
    CLOUD,
    DEVICE,
    EDGE,
    FAST_ANYWHERE,
    STEPS,
    later,
    runs,
    situation,
)

BY_COST = ("dp-adaptive", "dp-static", "neurosurgeon", "greedy", "mincut", "shortest-path", "bandit")
ALONE = [("d", 0, 8)]
LATE_STAGES_AT_THE_EDGE = [("d", 0, 4), ("e", 4, 7), ("d", 7, 8)]


def planned(policy: str, view: PlanView) -> Plan:
    return resolve(policy).plan(view)


@pytest.mark.parametrize("policy", BY_COST)
def test_a_fast_node_behind_a_good_link_gets_what_may_leave(policy: str) -> None:
    view = situation({DEVICE: 10.0, EDGE: 0.1}, transfer_s=0.5)
    assert runs(planned(policy, view)) == LATE_STAGES_AT_THE_EDGE


@pytest.mark.parametrize("policy", ["dp-adaptive", "dp-static", "neurosurgeon", "greedy", "mincut"])
def test_behind_a_bad_link_the_device_works_alone(policy: str) -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.1}, transfer_s=50.0)
    assert runs(planned(policy, view)) == ALONE


@pytest.mark.parametrize("policy", BY_COST)
def test_where_nothing_was_measured_the_pyramid_stands_in(policy: str) -> None:
    view = replace(situation({DEVICE: 1.0, EDGE: 1.0, CLOUD: 1.0}), estimates=None)
    plan = planned(policy, view)
    assert runs(plan) == runs(planned("pyramid", view))
    assert "measured" in plan.notes[-1]


def test_neurosurgeon_uses_one_remote_node_even_where_two_are_better() -> None:
    edge = [9.0, 9.0, 9.0, 9.0, 0.1, 9.0, 9.0, 9.0]
    cloud = [9.0, 9.0, 9.0, 9.0, 9.0, 0.1, 0.1, 9.0]
    view = situation({DEVICE: 5.0, EDGE: edge, CLOUD: cloud}, transfer_s=0.5)
    assert runs(optimal_plan(view)) == [("d", 0, 4), ("e", 4, 5), ("c", 5, 7), ("d", 7, 8)]
    assert runs(planned("neurosurgeon", view)) == [("d", 0, 5), ("c", 5, 7), ("d", 7, 8)]


def test_neurosurgeon_sends_the_prompt_where_it_may() -> None:
    view = situation({DEVICE: 1.0, CLOUD: 0.1}, transfer_s=0.5, objective=FAST_ANYWHERE)
    assert runs(planned("neurosurgeon", view)) == [("c", 0, 7), ("d", 7, 8)]


def test_neurosurgeon_waits_for_a_busy_node_no_longer_than_it_pays() -> None:
    steps = {DEVICE: 1.0, CLOUD: 0.1}
    # private stages take 4 s; the rest takes 3 s here, and 0.3 s and two transfers there
    for ready_s, expected in ((4.0, [("d", 0, 4), ("c", 4, 7), ("d", 7, 8)]), (9.0, ALONE)):
        view = situation(steps, transfer_s=0.2, ready_s={CLOUD: ready_s})
        assert runs(planned("neurosurgeon", view)) == expected


def test_greedy_does_not_think_of_the_way_back() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.5}, transfer_s=0.8)
    # stage4: 2 s here, 0.8 + 2 * 0.5 s there, and 0.8 s for the way back that it forgets
    assert runs(planned("greedy", view)) == [("d", 0, 5), ("e", 5, 7), ("d", 7, 8)]
    assert runs(optimal_plan(view)) == ALONE


def test_greedy_moves_whole_stages_only() -> None:
    edge = [9.0] * 6 + [0.1, 9.0]  # the second half of stage4 alone
    view = situation({DEVICE: 3.0, EDGE: edge}, transfer_s=0.5)
    assert runs(planned("greedy", view)) == ALONE
    assert runs(optimal_plan(view)) == [("d", 0, 6), ("e", 6, 7), ("d", 7, 8)]


def test_mincut_may_go_out_twice_and_takes_the_better_of_two_nodes() -> None:
    edge = [9.0, 9.0, 9.0, 9.0, 0.1, 9.0, 0.1, 9.0]
    view = situation({DEVICE: 4.0, EDGE: edge, CLOUD: 3.0}, transfer_s=0.5)
    assert runs(planned("mincut", view)) == [("d", 0, 4), ("e", 4, 5), ("d", 5, 6), ("e", 6, 7), ("d", 7, 8)]


@pytest.mark.parametrize("seed", range(40))
def test_mincut_is_the_minimum_over_all_labellings(seed: int) -> None:
    """Over the device and each other node, by seconds without queues: every assignment is tried."""
    view = random_view(seed)
    start = max(view.start_step, view.workload.steps - 7)
    view = replace(view, start_step=start, objective=replace(view.objective, max_cuts=8, deadline_s=math.inf))
    tables = CostTables.of(view)
    try:
        plan = planned("mincut", view)
    except InfeasiblePlan:
        pytest.skip("there is no plan")
    least = min(
        (_seconds(tables, [tables.device if d else other for d in labels])
        for other in range(len(tables.nodes))
        for labels in product((True, False), repeat=tables.steps)),
    )  # fmt: skip
    numbers = {node: number for number, node in enumerate(tables.nodes)}
    path = [numbers[plan.segment_at(step).node] for step in range(view.start_step, view.workload.steps)]
    assert _seconds(tables, path) == pytest.approx(least)


def _seconds(tables: CostTables, path: list[int]) -> float:
    total, source = 0.0, tables.holder
    for step, node in enumerate(path):
        if not tables.open_steps[step, node] or not tables.open_moves[step, source, node]:
            return float("inf")
        if node != source:
            total += float(tables.move_s[step, source, node] + tables.entry_s[step, node])
        total, source = total + float(tables.compute_s[step, node]), node
    return total


@pytest.mark.parametrize(
    ("rtt_s", "saving_s", "leaves"),
    [(0.1, 0.05, True), (0.1, 0.04, False), (0.0, 0.065, True), (0.0, 0.06, False), (60.0, 1.7, True)],
)
def test_shortest_path_counts_round_trips_and_no_bytes(rtt_s: float, saving_s: float, leaves: bool) -> None:
    """Two hand-offs of rtt / 2 + 18 ms against three steps; an unknown round trip counts 0.15 s, a long one 5 s."""
    view = situation({DEVICE: 2.0, EDGE: 2.0 - saving_s}, transfer_s=1000.0, rtt_s=rtt_s)
    assert runs(planned("shortest-path", view)) == (LATE_STAGES_AT_THE_EDGE if leaves else ALONE)
    assert runs(optimal_plan(view)) == ALONE


def test_shortest_path_bans_a_node_that_failed_for_15_seconds_and_then_for_30() -> None:
    policy = resolve("shortest-path")
    view = situation({DEVICE: 2.0, EDGE: 0.1}, transfer_s=0.1)
    assert runs(policy.plan(view)) == LATE_STAGES_AT_THE_EDGE

    def plan_at(now_s: float, *lost: NodeId) -> bool:
        plan = policy.plan(later(view, 4, DEVICE, now_s=now_s, unavailable=frozenset(lost)))
        return any(part.node == EDGE for part in plan.segments)

    assert not plan_at(3.0, EDGE)
    assert not plan_at(17.0)
    assert plan_at(19.0)
    assert not plan_at(20.0, EDGE)
    assert not plan_at(49.0)
    assert plan_at(51.0)


@pytest.mark.parametrize("seed", range(60))
def test_no_baseline_is_better_than_the_optimum(seed: int) -> None:
    view = random_view(seed)
    try:
        best = price(view, optimal_plan(view))
    except Exception:
        pytest.skip("there is no plan")
    for name in POLICIES:
        score = price(view, planned(name, view)) if name not in ("edge-only", "cloud-only") else None
        if score is not None and score.feasible:
            assert score.objective >= best.objective * (1 - 1e-9), name


def test_what_the_limits_forbid_is_planned_exactly_instead() -> None:
    """Neurosurgeon knows one remote node; pins may ask for two."""
    pins = {"stage3": EDGE, "stage4": CLOUD}
    view = situation({DEVICE: 1.0, EDGE: 1.0, CLOUD: 1.0}, objective=Objective(pins=pins))
    plan = planned("neurosurgeon", view)
    assert runs(plan) == [("d", 0, 4), ("e", 4, 5), ("c", 5, 7), ("d", 7, 8)]
    assert "dp-static" in plan.notes[-1]


def test_random_plans_differ_by_seed_and_by_where_they_resume() -> None:
    from eapg_split.planner.random_valid import RandomValidPolicy

    view = situation({DEVICE: 1.0, EDGE: 1.0, CLOUD: 1.0}, objective=FAST_ANYWHERE)
    plans = {RandomValidPolicy(seed).plan(view).segments for seed in range(20)}
    assert len(plans) > 10
    assert RandomValidPolicy(3).plan(view) == RandomValidPolicy(3).plan(view)
    assert all(segments[-1].stop_step == STEPS for segments in plans)
