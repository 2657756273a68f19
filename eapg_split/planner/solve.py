"""The best plan for a view: exact, with every limit kept; and any plan priced under the same estimates."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.planner.cost import CostTables
from eapg_split.planner.estimates import NodeEstimate
from eapg_split.planner.policy import PlanView
from eapg_split.planner.search import Problem
from eapg_split.planner.walk import Path, Score, walk
from eapg_split.planner.weights import Weights, weights_of


@dataclass(frozen=True)
class Solution:
    """The best plan and its score. `path` has the number in `tables.nodes` of each step's node."""

    plan: Plan
    score: Score
    path: Path
    tables: CostTables
    weights: Weights

    @cached_property
    def runner_up(self) -> Plan | None:
        """The best of the plans that differ in at least one step's node."""
        path = Problem(self.tables, self.weights).runner_up(self.path)
        return None if path is None else plan_of(self.tables, path)

    @cached_property
    def binding(self) -> str:
        """Which limit made the plan differ from the one that is best without it; empty where none did."""
        return ""


def solve(view: PlanView, tables: CostTables | None = None) -> Solution:
    """The best plan from `view.start_step` on. `tables` may be those of the view with a policy's penalties.

    Raises InfeasiblePlan that names the limit which must give way.
    """
    tables = tables or CostTables.of(view)
    weights = goal_weights(tables)
    path = Problem(tables, weights).best()
    return Solution(plan_of(tables, path), walk(tables, weights, path).score, path, tables, weights)


def price(view: PlanView, plan: Plan, tables: CostTables | None = None) -> Score:
    """What is left of a plan under the view's estimates; infeasible, with the reason, where it breaks a limit."""
    tables = tables or CostTables.of(view)
    weights = goal_weights(tables)
    path = path_of(tables, plan)
    return walk(tables, weights, path).score


def goal_weights(tables: CostTables) -> Weights:
    """The weights of the job's goal with the device's battery as it is now; an unknown one is full."""
    device = tables.estimates.nodes.get(tables.nodes[tables.device], NodeEstimate(()))
    return weights_of(tables.view.objective, device)


def plan_of(tables: CostTables, path: Sequence[int]) -> Plan:
    """The plan of a path, its cuts with the codec that the job asked for."""
    view, segments, step = tables.view, list[Segment](), tables.view.start_step
    for node, run in groupby(path):
        stop = step + len(list(run))
        segments.append(Segment(tables.nodes[node], step, stop))
        step = stop
    cuts = [Cut(segment.start_step, view.objective.codec) for segment in segments[1:]]
    if view.start_step > 0 and path[0] != tables.holder:
        cuts.insert(0, Cut(view.start_step, view.objective.codec))
    return Plan.checked(view.rules, segments, cuts)


def path_of(tables: CostTables, plan: Plan) -> Path:
    """The nodes of the steps that are left of a plan, by their numbers in the tables."""
    numbers = {node: number for number, node in enumerate(tables.nodes)}
    return tuple(
        numbers[plan.segment_at(step).node]
        for step in range(tables.view.start_step, tables.view.workload.steps)
    )
