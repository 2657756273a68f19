"""Which limit made the best plan another one: what would be chosen without it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from eapg_split.domain.request import Privacy
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.policy import PlanView
from eapg_split.planner.search import Problem
from eapg_split.planner.weights import Weights


def what_binds(tables: CostTables, weights: Weights, path: Sequence[int]) -> str:
    """A sentence, empty where nothing binds.

    Looked at are first the limits on what a plan takes and the nodes that are not ready, then the rules about who may
    compute what, each left out for itself.
    """
    problem, unlimited = Problem(tables, weights), Problem(tables, weights, limited=False)
    free = unlimited.best()
    if free != tuple(path):
        walked = problem.walk(free)
        for budget in problem.broken(walked):
            name, amount = budget.name[0].upper() + budget.name[1:], budget.says(budget.amount(walked))
            return f"{name} binds: without it the plan would be {_runs(tables, free)}, which takes {amount}."
    eager = problem.relaxed.path(tables.holder)
    if eager != tuple(path):
        late = max(problem.walk(eager).legs, key=lambda leg: leg.wait_s)
        if late.wait_s > 0:
            return (
                f"{late.node} is not ready: else the plan would be {_runs(tables, eager)}, which would wait "
                f"{late.wait_s:.3g} s for it."
            )
    return _rule_that_binds(tables, weights, path)


def _rule_that_binds(tables: CostTables, weights: Weights, path: Sequence[int]) -> str:
    best = Problem(tables, weights).walk(tuple(path)).score.objective
    for name, view in _without_rules(tables.view):
        looser = CostTables.of(view)
        looser = replace(
            looser,
            slowdown=tables.slowdown,
            penalty_steps=tables.penalty_steps,
            penalty_moves=tables.penalty_moves,
        )
        problem = Problem(looser, weights)
        try:
            free = problem.best()
        except InfeasiblePlan:
            continue
        objective = problem.walk(free).score.objective
        if free != tuple(path) and objective < best:
            gain = 1 - objective / best if best > 0 else 0.0
            return f"{name} binds: without it the plan would be {_runs(tables, free)}, {gain:.0%} better."
    return ""


def _without_rules(view: PlanView) -> Iterator[tuple[str, PlanView]]:
    """The view without each of the rules that it has."""
    objective, nodes = view.objective, view.topology.nodes

    def but(**changes: object) -> PlanView:
        return replace(view, objective=replace(objective, **changes))  # type: ignore[arg-type]

    if objective.privacy is Privacy.PROMPT_LOCAL:
        yield "That the prompt stays on the device", but(privacy=Privacy.ANY)
    if objective.pins:
        yield "A pin", but(pins={})
    estimates = view.estimates
    assert estimates is not None
    caps = [objective.max_entropy_bits, *(node.max_entropy_bits for node in estimates.nodes.values())]
    if any(cap < math.inf for cap in caps):
        free = {name: replace(node, max_entropy_bits=math.inf) for name, node in estimates.nodes.items()}
        looser = but(max_entropy_bits=math.inf)
        yield "The entropy budget", replace(looser, estimates=replace(estimates, nodes=free))
    if objective.memory_caps or any(node.memory_bytes is not None for node in nodes):
        roomy = replace(view.topology, nodes=tuple(replace(node, memory_bytes=None) for node in nodes))
        yield "Memory", replace(but(memory_caps={}), topology=roomy)


def _runs(tables: CostTables, path: Sequence[int]) -> str:
    """A path for people: nodes and how many steps each computes."""
    runs = ((tables.nodes[node], len(list(run))) for node, run in groupby(path))
    return ", ".join(f"{name} {steps}" for name, steps in runs)
