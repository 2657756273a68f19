"""It learns what its estimates have wrong, keeps that, and looks at others now and then when it works alone."""

import json
import math

import numpy as np
import pytest

from eapg_split.planner.bandit import MAX_REGRET, BanditPolicy
from eapg_split.planner.beliefs import Belief
from eapg_split.planner.optimal import optimal_plan
from eapg_split.planner.policy import Occasion, PlanView, StepMeasured, TransferMeasured, Trigger
from eapg_split.planner.solve import price
from eapg_split.testing.views import random_view
from tests.planner.situations import DEVICE, EDGE, later, runs, situation

STEP = Occasion(Trigger.STEP, "a step was finished")
ALONE = [("d", 0, 8)]
AWAY = [("d", 0, 4), ("e", 4, 7), ("d", 7, 8)]


def work(
    policy: BanditPolicy, view: PlanView, *, slower: dict[str, float], link: float = 1.0
) -> list[tuple[str, int, int]]:
    """One job: plans, and tells the policy that nodes and links were so many times as slow as it believed."""
    plan = policy.plan(view)
    assert view.estimates is not None
    for part in plan.segments:
        for step in range(part.start_step, part.stop_step):
            seconds = view.estimates.nodes[part.node].step_s[step] * slower.get(part.node, 1.0)
            policy.observe(StepMeasured(part.node, step, seconds))
    for before, after in zip(plan.segments, plan.segments[1:], strict=False):
        rate = view.estimates.links[before.node, after.node].bits_per_s
        policy.observe(TransferMeasured(before.node, after.node, 1_000_000, 8e6 / rate * link))
    return runs(plan)


def test_it_leaves_a_node_that_is_slower_than_it_says() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.3}, transfer_s=0.1)
    policy = BanditPolicy()
    jobs = [work(policy, view, slower={EDGE: 5.0}) for _ in range(8)]
    assert jobs[0] == AWAY
    assert jobs[-1] == ALONE


def test_it_leaves_a_link_that_is_slower_than_it_says() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.3}, transfer_s=0.3)
    policy = BanditPolicy()
    jobs = [work(policy, view, slower={}, link=6.0) for _ in range(8)]
    assert jobs[0] == AWAY
    assert ALONE in jobs


def test_alone_it_looks_at_the_others_ever_less_often() -> None:
    """Nothing is gained at the edge; the T-th job looks there when ceil(T^0.25) divides T."""
    view = situation({DEVICE: 1.0, EDGE: 0.9}, transfer_s=0.4)
    policy = BanditPolicy()
    looks = [job for job in range(40) if work(policy, view, slower={EDGE: 1.2}) != ALONE]
    assert looks[:4] == [0, 1, 2, 4]
    assert all(job % max(1, math.ceil(job**0.25)) == 0 for job in looks)
    assert len([job for job in looks if job >= 20]) <= 10


def test_a_look_finds_out_that_a_node_is_better_than_believed() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.9}, transfer_s=0.4)
    policy = BanditPolicy()
    jobs = [work(policy, view, slower={EDGE: 0.2}) for _ in range(6)]
    assert "learn" in BanditPolicy().plan(view).notes[-1]
    assert jobs[-1] == AWAY


def test_a_look_that_would_be_far_too_dear_is_not_taken() -> None:
    view = situation({DEVICE: 1.0, EDGE: 1.0}, transfer_s=30.0)
    assert runs(BanditPolicy().plan(view)) == ALONE


def test_a_look_is_not_given_up_at_the_next_boundary() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.9}, transfer_s=0.6)
    policy = BanditPolicy()
    plan = policy.plan(view)
    assert any(part.node == EDGE for part in plan.segments)
    assert policy.revise(later(view, 1, DEVICE), plan, STEP).plan is None


def test_it_explores_only_what_looks_nearly_as_good() -> None:
    tried = 0
    for seed in range(40):
        view = random_view(seed)
        if view.start_step == 0:
            continue  # a forced look may cost more
        policy = BanditPolicy(seed)
        try:
            best = price(view, optimal_plan(view))
            score = price(view, policy.plan(view))
        except Exception:
            continue
        if best.feasible:
            tried += 1
            assert score.objective <= best.objective * (1 + MAX_REGRET) + 1e-9
    assert tried > 5


def test_what_it_learned_survives_json_and_what_is_no_state_is_refused() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.3}, transfer_s=0.1)
    policy, heir = BanditPolicy(), BanditPolicy()
    for _ in range(6):
        work(policy, view, slower={EDGE: 5.0})
    text = json.dumps(dict(policy.state_dict()))
    heir.load_state_dict(json.loads(text))
    assert json.dumps(dict(heir.state_dict())) == text
    assert heir.plan(view) == policy.plan(view)
    assert runs(heir.plan(view)) != runs(BanditPolicy().plan(view))
    good = json.loads(text)
    for damage in (
        {},
        {**good, "version": 2},
        {**good, "jobs": -1},
        {**good, "samples": 1.5},
        {**good, "beliefs": []},
        {**good, "beliefs": {"node e": [1, 2]}},
        {**good, "beliefs": {"node e": [1, 2, 1, 0, 0, 1]}},
        {**good, "beliefs": {"node e": [1, 0, 1, 0, float("nan"), 1]}},
        {**good, "beliefs": {"node e": [1, 0, 1, 0, "0", 1]}},
    ):
        with pytest.raises(ValueError, match=r"bandit|belief"):
            BanditPolicy().load_state_dict(damage)


def test_absurd_measurements_are_passed_over() -> None:
    view = situation({DEVICE: 1.0, EDGE: 0.3})
    policy = BanditPolicy()
    policy.plan(view)
    before = policy.state_dict()["beliefs"]
    for seconds in (0.0, -1.0, math.nan, math.inf):
        policy.observe(StepMeasured(EDGE, 4, seconds))
        policy.observe(TransferMeasured(DEVICE, EDGE, 1000, seconds))
    policy.observe(StepMeasured(EDGE, 99, 1.0))
    policy.observe(TransferMeasured(DEVICE, EDGE, 0, 1.0))
    assert policy.state_dict()["beliefs"] == before


def test_a_belief_is_the_posterior_of_a_linear_regression() -> None:
    """Against the same sums made by numpy, without fading: two samples only, the second one fades the first."""
    belief = Belief().after(0.5, 0.7).after(-1.0, 0.2)
    fade, weight = 0.97, 1 / 0.25**2
    prior = np.diag([4.0, 25.0])
    rows = np.array([[1, 0.5], [1, -1.0]])
    shares = np.array([fade, 1.0])
    precision = prior + weight * (rows.T * shares) @ rows
    mean = np.linalg.solve(precision, weight * (rows.T * shares) @ np.array([0.7, 0.2]))
    line = belief.draw()
    assert (line.intercept, line.slope) == pytest.approx(tuple(mean))
    normals = np.random.default_rng(0).standard_normal((4000, 2)).tolist()
    lines = [belief.draw((first, second)) for first, second in normals]
    draws = np.array([[drawn.intercept, drawn.slope] for drawn in lines])
    np.testing.assert_allclose(np.cov(draws.T), np.linalg.inv(precision), atol=2e-3)
    assert belief.uncertainty == pytest.approx(math.sqrt(np.linalg.inv(precision)[0, 0]))


def test_beliefs_follow_the_world() -> None:
    belief = Belief()
    for _ in range(200):
        belief = belief.after(0.0, 1.0)
    assert belief.draw().factor(0.0) == pytest.approx(math.e, rel=0.02)
    for _ in range(100):
        belief = belief.after(0.0, -1.0)
    assert belief.draw().factor(0.0) < 0.5
    assert Belief().after(0.0, 100.0).draw().factor(2.0) <= 8.0
