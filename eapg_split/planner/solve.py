"""The best plan for a view: exact, with every limit kept; and any plan priced under the same estimates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from eapg_split.domain.plan import Cut, Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.binding import what_binds
from eapg_split.planner.cost import CostTables
from eapg_split.planner.estimates import NodeEstimate
from eapg_split.planner.heated import best_path, hot_steps
from eapg_split.planner.infeasible import why_path_closed
from eapg_split.planner.placement import segments_of
from eapg_split.planner.policy import PlanView
from eapg_split.planner.search import Problem
from eapg_split.planner.walk import Path, Score, Walk, walk
from eapg_split.planner.weights import Weights, weights_of


@dataclass(frozen=True)
class Solution:
    """The best plan and its score. `path` has the number in `tables.nodes` of each step's node.

    `tables` are those under which it is the best: with the slowdown of the device's heat, where that is modelled.
    """

    plan: Plan
    score: Score
    path: Path
    tables: CostTables = field(repr=False, compare=False)
    weights: Weights
    walked: Walk = field(repr=False)

    @cached_property
    def runner_up(self) -> Plan | None:
        """The best of the plans that differ in at least one step's node; None where there is no other."""
        path = Problem(self.tables, self.weights).runner_up(self.path)
        return None if path is None else plan_of(self.tables, path)

    @cached_property
    def binding(self) -> str:
        """Which limit made the plan another one than would be best without it: a sentence, empty where none did."""
        return what_binds(self.tables, self.weights, self.path)


def solve(view: PlanView, tables: CostTables | None = None) -> Solution:
    """The best plan from `view.start_step` on. `tables` may be those of the view with a policy's penalties.

    Exact but for the device's heat, with which the plan is brought to agree in a few passes. Raises InfeasiblePlan that
    names the limit which must give way.
    """
    tables = tables or CostTables.of(view)
    weights = goal_weights(tables)
    found = best_path(tables, weights)
    plan = plan_of(tables, found.path)
    return Solution(plan, found.walked.score, found.path, found.problem.tables, weights, found.walked)


def price(view: PlanView, plan: Plan, tables: CostTables | None = None) -> Score:
    """What is left of a plan under the view's estimates; infeasible, with the reason, where it breaks a rule or limit.

    Its cuts count with the codecs that they name where the estimates tell those apart.
    """
    tables = tables or CostTables.of(view)
    weights = goal_weights(tables)
    try:
        path = path_of(tables, plan)
    except InfeasiblePlan as error:
        return _infeasible(error.message)
    closed = why_path_closed(tables, path)
    if closed:
        return _infeasible(closed)
    return _judged(tables, weights, path, walk(tables, weights, path, codecs=_codecs(tables, plan)))


def appraise(view: PlanView, plan: Plan, tables: CostTables | None = None) -> Solution:
    """What is left of any plan, walked through as `solve` does its own, with the score that `price` gives it.

    Of its properties `runner_up` is the best other plan, which may be better, and `binding` says nothing. Raises
    InfeasiblePlan for a plan with a step or a move that no estimate allows; one that breaks a limit has a score that
    says so.
    """
    tables = tables or CostTables.of(view)
    weights, path = goal_weights(tables), path_of(tables, plan)
    closed = why_path_closed(tables, path)
    if closed:
        raise InfeasiblePlan(closed)
    walked = walk(tables, weights, path, codecs=_codecs(tables, plan))
    return Solution(plan, _judged(tables, weights, path, walked), path, tables, weights, walked)


def _judged(tables: CostTables, weights: Weights, path: Path, walked: Walk) -> Score:
    """The score of a walk; infeasible, with the reason, where it breaks a limit."""
    broken = Problem(tables, weights).broken(walked)
    hot = () if broken else hot_steps(tables, path, walked)
    if broken:
        why = f"The plan breaks {broken[0].name}: it takes {broken[0].says(broken[0].amount(walked))}."
    elif hot:
        step = tables.view.start_step + hot[0]
        why = f"The device would reach {walked.step_c[hot[0]]:.1f} C at step {step}."
    else:
        return walked.score
    return replace(walked.score, objective=math.inf, feasible=False, why=why)


def _infeasible(why: str) -> Score:
    return Score(math.inf, math.inf, math.inf, math.inf, math.inf, feasible=False, why=why)


def _codecs(tables: CostTables, plan: Plan) -> dict[int, int]:
    """The codecs that a plan's cuts name besides the job's own, by boundary, where one estimate has that name."""
    names = [codec.name for codec in tables.codecs]
    start, own = tables.view.start_step, tables.view.objective.codec
    cuts = (
        cut for cut in plan.cuts if cut.step >= start and cut.codec != own and names.count(cut.codec) == 1
    )
    return {cut.step - start: names.index(cut.codec) for cut in cuts}


def goal_weights(tables: CostTables) -> Weights:
    """The weights of the job's goal with the device's battery as it is now; an unknown one is full."""
    device = tables.estimates.nodes.get(tables.nodes[tables.device], NodeEstimate(()))
    return weights_of(tables.view.objective, device)


def plan_of(tables: CostTables, path: Sequence[int]) -> Plan:
    """The plan of a path, its cuts with the codec that the job asked for."""
    view = tables.view
    segments = segments_of((tables.nodes[node] for node in path), view.start_step)
    cuts = [Cut(segment.start_step, view.objective.codec) for segment in segments[1:]]
    if view.start_step > 0 and path[0] != tables.holder:
        cuts.insert(0, Cut(view.start_step, view.objective.codec))
    return Plan.checked(view.rules, segments, cuts)


def path_of(tables: CostTables, plan: Plan) -> Path:
    """The nodes of the steps that are left of a plan, by number. Raises InfeasiblePlan for strangers and gaps."""
    numbers = {node: number for number, node in enumerate(tables.nodes)}
    path: list[int] = []
    start, stop = tables.view.start_step, tables.view.workload.steps
    for segment in plan.segments:
        if segment.node not in numbers:
            raise InfeasiblePlan(f"The plan uses {segment.node}, which is not among the known nodes.")
        steps = range(max(segment.start_step, start), min(segment.stop_step, stop))
        path += [numbers[segment.node]] * len(steps)
    if len(path) != stop - start or plan.start_step > start:
        raise InfeasiblePlan(f"The plan does not cover the steps {start} to {stop}.")
    return tuple(path)
