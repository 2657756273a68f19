"""Why there is no plan: the rule or limit that must give way, in one sentence."""

from collections.abc import Sequence

import numpy as np

from eapg_split.domain.topology import Node
from eapg_split.domain.workload import Stage
from eapg_split.planner.budgets import Budget
from eapg_split.planner.cost import CostTables
from eapg_split.planner.counted import Counted
from eapg_split.planner.labels import Search
from eapg_split.planner.legality import bound_to_device
from eapg_split.planner.weights import Weights


def why_closed(tables: CostTables) -> str:
    """Where nothing legal leads to the end: the step that nobody may compute, or else the links."""
    view = tables.view
    for number in np.flatnonzero(~tables.open_steps.any(axis=1)).tolist():
        step = view.start_step + number
        stage = view.workload.stage_of(step)
        reasons = [f"{node.id} {_obstacle(tables, number, stage, node)}" for node in view.topology.nodes]
        return f"No node may compute step {step} ({stage.name}): {', '.join(reasons)}."
    holder = tables.nodes[tables.holder]
    return (
        f"No links lead from {holder}, which has the state, to nodes that may compute the rest and back to "
        f"{tables.nodes[tables.device]}: both ends of each must be there and know the codec "
        f"{view.objective.codec!r}."
    )


def _obstacle(tables: CostTables, number: int, stage: Stage, node: Node) -> str:
    """Why a node cannot compute a step, to be read after its name."""
    view, objective = tables.view, tables.view.objective
    index = tables.nodes.index(node.id)
    caps = [cap for cap in (node.memory_bytes, objective.memory_caps.get(node.id)) if cap is not None]
    if node.id in view.unavailable:
        return "is unavailable"
    if bound_to_device(view.objective, stage) and index != tables.device:
        return "may not, for it must stay on the device"
    if objective.pins.get(stage.name, node.id) != node.id:
        return f"is not where it is pinned ({objective.pins[stage.name]})"
    if caps and min(caps) < stage.memory_bytes:
        return f"may use {min(caps) / 1e6:.0f} MB of the {stage.memory_bytes / 1e6:.0f} MB that it needs"
    budget = min(float(tables.per_node.max_entropy_bits[index]), objective.max_entropy_bits)
    if tables.coded.entropy_bits[number] > budget:
        return f"takes on {budget:.3g} bits and the state has {tables.coded.entropy_bits[number]:.3g}"
    return "has no estimate of it, or cannot compute it"


def why_path_closed(tables: CostTables, path: Sequence[int]) -> str:
    """The first step or move of a path that is not allowed; empty where all are."""
    view, source = tables.view, tables.holder
    for number, node in enumerate(path):
        step = view.start_step + number
        if not tables.open_steps[number, node]:
            stage = view.workload.stage_of(step)
            there = view.topology.nodes[node]
            return f"Step {step} ({stage.name}) is on {there.id}, which {_obstacle(tables, number, stage, there)}."
        if not tables.open_moves[number, source, node]:
            return (
                f"The state cannot go from {tables.nodes[source]} to {tables.nodes[node]} before step {step}."
            )
        source = node
    if not tables.open_moves[-1, source, tables.device]:
        return f"The result cannot go from {tables.nodes[source]} to {tables.nodes[tables.device]}."
    return ""


def why_broken(tables: CostTables, budgets: tuple[Budget, ...], counted: tuple[Budget, ...]) -> str:
    """Where no path keeps all limits: one that no path at all keeps, or else those that exclude each other."""
    for budget in budgets:
        least = least_of(tables, budget)
        if least > budget.most:
            if budget.clock:
                return f"No plan keeps {budget.name}: the fastest needs {budget.says(least)}."
            return f"No plan keeps {budget.name}: the least is {budget.says(least)}."
    names = " and ".join(budget.name for budget in counted)
    return f"No plan keeps {names} together: give way in one of them."


def least_of(tables: CostTables, budget: Budget) -> float:
    """The least that any legal path takes of a limit, with waiting."""
    counted = Counted.of(tables, Weights(1.0, 0.0, 0.0), (budget,), waits=True)
    keep = [0, counted.rows.shape[1] - 1]
    search = Search(tables, [counted.dimensions[i] for i in keep], (), counted.rows[0][keep])
    ends = search.run()[-1]
    return float((search.objective @ ends.values).min())
