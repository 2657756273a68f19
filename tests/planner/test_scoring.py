"""Five lines of one's own steer the exact planner."""

import math

import pytest

from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import Tier
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.optimal import optimal_plan
from eapg_split.planner.policy import Goal, Objective, Occasion, Trigger
from eapg_split.planner.scoring import Arc, ScorePolicy
from eapg_split.planner.solve import price
from eapg_split.testing.views import random_view
from tests.planner.situations import CLOUD, DEVICE, EDGE, STEPS, WORKLOAD, later, runs, situation

THREE = situation({DEVICE: 5.0, EDGE: 1.0, CLOUD: 0.5}, transfer_s=0.5)
STEP = Occasion(Trigger.STEP, "a step was finished")


class NoCloud(ScorePolicy):
    name = "no-cloud"

    def filter(self, arc: Arc) -> bool:
        return arc.target.tier is not Tier.CLOUD


class LittleCloud(ScorePolicy):
    name = "little-cloud"

    def score(self, arc: Arc) -> float:
        return 3 * arc.seconds if arc.target.tier is Tier.CLOUD and not arc.moves else 0.0


def test_without_scores_it_is_the_optimum() -> None:
    for seed in range(60):
        view = random_view(seed)
        try:
            expected = optimal_plan(view)
        except InfeasiblePlan:
            continue
        assert ScorePolicy().plan(view).segments == expected.segments, seed


def test_what_is_filtered_is_not_used() -> None:
    assert runs(ScorePolicy().plan(THREE)) == [("d", 0, 4), ("c", 4, 7), ("d", 7, 8)]
    assert runs(NoCloud().plan(THREE)) == [("d", 0, 4), ("e", 4, 7), ("d", 7, 8)]


def test_scores_are_seconds_that_the_sum_counts() -> None:
    """Three steps of 0.5 s count four times in the cloud: 6 s, and 3 s at the edge."""
    assert runs(LittleCloud().plan(THREE)) == [("d", 0, 4), ("e", 4, 7), ("d", 7, 8)]
    lonely = situation({DEVICE: 5.0, CLOUD: 0.5}, transfer_s=0.5)
    assert runs(LittleCloud().plan(lonely))[1] == ("c", 4, 7), "6 s are still less than 15 s on the device"


def test_a_running_job_is_revised_by_the_same_scores() -> None:
    policy = LittleCloud()
    plan = policy.plan(THREE)
    assert policy.revise(later(THREE, 5, EDGE), plan, STEP).plan is None


def test_a_score_below_zero_draws_work_there() -> None:
    class Generous(ScorePolicy):
        name = "generous"

        def score(self, arc: Arc) -> float:
            return -10.0 if arc.target.tier is Tier.EDGE and not arc.moves else 0.0

    slow = situation({DEVICE: 1.0, EDGE: 3.0}, transfer_s=0.5)
    assert runs(Generous().plan(slow)) == [("d", 0, 4), ("e", 4, 7), ("d", 7, 8)]


@pytest.mark.parametrize("goal", [Goal.ENERGY, Goal.COST])
def test_seconds_weigh_what_the_goal_lets_them_weigh(goal: Goal) -> None:
    """Where money or energy is the goal, a hundred seconds are nothing, and a filter still holds."""

    class Wary(ScorePolicy):
        name = "wary"

        def score(self, arc: Arc) -> float:
            return 100.0 if arc.target.tier is Tier.CLOUD else 0.0

    for seed in range(40):
        view = random_view(seed)
        if view.objective.goal is goal:
            best, own = price(view, optimal_plan(view)), price(view, Wary().plan(view))
            assert own.objective <= best.objective * 1.001 + 0.01


def test_infinite_seconds_forbid_and_what_is_no_number_is_refused() -> None:
    class Never(ScorePolicy):
        name = "never"
        extra = math.inf

        def score(self, arc: Arc) -> float:
            return self.extra if arc.moves else 0.0

    assert runs(Never().plan(THREE)) == [("d", 0, 8)]
    for extra in (math.nan, -math.inf):
        policy = Never()
        policy.extra = extra
        with pytest.raises(ValueError, match="seconds"):
            policy.plan(THREE)


def test_every_arc_is_shown_once_and_only_what_is_allowed() -> None:
    class Watching(ScorePolicy):
        name = "watching"

        def __init__(self) -> None:
            super().__init__()
            self.arcs: list[Arc] = []

        def score(self, arc: Arc) -> float:
            self.arcs.append(arc)
            return 0.0

    policy = Watching()
    policy.plan(situation({DEVICE: 1.0, EDGE: 2.0}, transfer_s=0.5, rtt_s=0.1))
    computing = [arc for arc in policy.arcs if not arc.moves]
    moving = [arc for arc in policy.arcs if arc.moves]
    assert sorted((arc.step, arc.target.id) for arc in computing) == sorted(
        [*((step, DEVICE) for step in range(STEPS)), *((step, EDGE) for step in range(4, 7))]
    )
    assert all(arc.seconds == (1.0 if arc.target.id == DEVICE else 2.0) for arc in computing)
    assert all(arc.stage is WORKLOAD.stage_of(arc.step) for arc in computing)
    assert len(moving) == len({(arc.step, arc.source.id, arc.target.id) for arc in moving})
    assert all(arc.seconds == pytest.approx(0.6) for arc in moving if arc.step > 0)
    assert all(arc.bits == 8e6 for arc in moving if arc.step > 0)
    free = Watching()
    free.plan(situation({DEVICE: 1.0, EDGE: 2.0}, objective=Objective(Privacy.ANY)))
    assert (0, EDGE) in {(arc.step, arc.target.id) for arc in free.arcs if not arc.moves}
