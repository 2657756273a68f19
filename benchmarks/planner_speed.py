"""How fast a whole plan is made: from estimates to tables, backward pass and a checked plan.

    python benchmarks/planner_speed.py [--quick] [--json FILE]

Beside it stand networkx's Dijkstra and minimum cut on the same instances in the same process. They begin with our
tables, in which the cheapest codec of each move is chosen already, and build and solve their graph from those; the cut
knows only the device and one other node. Every figure is that of the quietest of many short rounds, for other processes
take their share of the machine; where the system allows it, the priority is raised meanwhile.
"""

import argparse
import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import networkx as nx
import numpy as np
from figures import Row, show, write
from planner_instances import instance

from eapg_split.domain.request import Privacy
from eapg_split.planner import charges
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp import Table
from eapg_split.planner.pareto import front
from eapg_split.planner.policy import Goal, PlanView
from eapg_split.planner.solve import goal_weights, solve

LARGE: Final = (100, 8, 5)  # cuts, nodes, codecs
LARGEST: Final = (200, 16, 5)
PRODUCT: Final = (33, 3, 4)
MEDIAN_BAR, P99_BAR, LARGEST_BAR, SAME_BAR = 1.0, 2.0, 10.0, 1e-9
_SEEDS: Final = 5


Instance = TypeVar("Instance")


@dataclass(frozen=True)
class Repeats:
    """In each of so many rounds every instance is timed `calls` times."""

    rounds: int
    calls: int


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call."""

    median: float
    p99: float


def measure(*, quick: bool, say: Callable[[str], None] = lambda line: None) -> Iterator[Row]:
    """All rows of the section."""
    with _priority():
        yield from _plans(Repeats(2, 10) if quick else Repeats(40, 20), say)
        yield from _constrained(Repeats(1, 2) if quick else Repeats(5, 4), say)
    yield _same(3 if quick else 20, say)


def _plans(repeats: Repeats, say: Callable[[str], None]) -> Iterator[Row]:
    say("plans of random instances, ours and networkx's")
    cases = (
        (PRODUCT, 0.0, False),
        (LARGE, MEDIAN_BAR, False),
        (LARGE, MEDIAN_BAR, True),
        (LARGEST, LARGEST_BAR, True),
    )
    for size, bar, anywhere in cases:
        views = [instance(*size, seed) for seed in range(_SEEDS)]
        views = [_open(view) for view in views] if anywhere else views
        ours, few = timed(solve, views, repeats), replace(repeats, calls=1)
        beside = {
            "networkx Dijkstra": timed(lambda view: dijkstra(CostTables.of(view)), views, few).median,
            "networkx minimum cut, 2 nodes": timed(
                lambda view: minimum_cut(CostTables.of(view)), views, few
            ).median,
        }
        name = "{} cuts x {} nodes x {} codecs".format(*size) + (", any privacy" if anywhere else "")
        rule = f"<= {bar:g} ms" if bar else ""
        yield Row(f"plan at {name}, median ms", ours.median, beside, rule, not bar or ours.median <= bar)
        if size == LARGE:
            yield Row(f"plan at {name}, p99 ms", ours.p99, {}, f"<= {P99_BAR:g} ms", ours.p99 <= P99_BAR)


def _constrained(repeats: Repeats, say: Callable[[str], None]) -> Iterator[Row]:
    """What takes labels, at the size of the product; no bar was set."""
    say("plans that a limit binds")
    name = "{} cuts x {} nodes x {} codecs".format(*PRODUCT)
    for what, change in (
        ("a deadline binds", _deadline),
        ("money binds", _money),
        ("nodes are busy", _ready),
    ):
        views = [change(instance(*PRODUCT, seed)) for seed in range(_SEEDS)]
        yield Row(f"plan at {name} where {what}, median ms", timed(solve, views, repeats).median)
    fronts = [_open(instance(*PRODUCT, seed)) for seed in range(_SEEDS)]
    found = timed(front, fronts, replace(repeats, calls=1))
    yield Row(f"front of time, energy and money at {name}, median ms", found.median)


def _same(instances: int, say: Callable[[str], None]) -> Row:
    say("the same optimum as Dijkstra")
    worst = 0.0
    for seed in range(instances):
        tables = CostTables.of(instance(60, 6, 5, seed))
        least = Table.of(charges.objective(tables, goal_weights(tables))).value[0, tables.holder]
        worst = max(worst, abs(dijkstra(tables) - least) / least)
    rule = f"<= {SAME_BAR:g}"
    return Row(
        f"largest difference from Dijkstra's optimum, {instances} instances",
        worst,
        {},
        rule,
        worst <= SAME_BAR,
    )


def timed(action: Callable[[Instance], object], instances: Sequence[Instance], repeats: Repeats) -> Timing:
    """Of one call, each figure in its quietest round."""
    best = Timing(float("inf"), float("inf"))
    for each in instances:
        action(each)
    for _ in range(repeats.rounds):
        gc.collect()
        taken = []
        for each in [each for _ in range(repeats.calls) for each in instances]:
            begin = time.perf_counter()
            action(each)
            taken.append((time.perf_counter() - begin) * 1e3)
        best = Timing(
            min(best.median, float(np.median(taken))), min(best.p99, float(np.percentile(taken, 99)))
        )
    return best


def dijkstra(tables: CostTables) -> float:
    """Builds the layered graph of the same arcs, and finds the shortest path in it: the objective."""
    charge = charges.objective(tables, goal_weights(tables))
    graph, steps = nx.DiGraph(), tables.steps
    for step, row in enumerate(charge.arcs.tolist()):
        graph.add_weighted_edges_from(
            ((step, source), (step + 1, target), weight)
            for source, targets in enumerate(row)
            for target, weight in enumerate(targets)
            if weight < float("inf")
        )
    graph.add_weighted_edges_from(
        ((steps, node), "end", weight)
        for node, weight in enumerate(charge.ends.tolist())
        if weight < float("inf")
    )
    return float(nx.dijkstra_path_length(graph, (0, tables.holder), "end"))


def minimum_cut(tables: CostTables) -> float:
    """DADS' cut between the device and one other node over the same steps: seconds."""
    device, other, steps = tables.device, len(tables.nodes) - 1, tables.compute_s
    graph = nx.DiGraph()
    for step in range(tables.steps):
        here, there = float(steps[step, device]), float(steps[step, other])
        if tables.open_steps[step, other]:
            graph.add_edge("device", step, capacity=there)
        else:
            graph.add_edge("device", step)  # without a capacity: never cut
        graph.add_edge(step, "other", capacity=here)
        if step:
            graph.add_edge(step - 1, step, capacity=float(tables.move_s[step, device, other]))
            graph.add_edge(step, step - 1, capacity=float(tables.move_s[step, other, device]))
    value, _ = nx.minimum_cut(graph, "device", "other")
    return float(value)


def _open(view: PlanView) -> PlanView:
    return replace(view, objective=replace(view.objective, privacy=Privacy.ANY))


def _deadline(view: PlanView) -> PlanView:
    """Cheap as can be, within what the fastest and the cheapest take on average."""
    cheap = replace(_open(view), objective=replace(_open(view).objective, goal=Goal.COST))
    fast = solve(replace(cheap, objective=replace(cheap.objective, goal=Goal.LATENCY))).score.time95_s
    middle = (fast + solve(cheap).score.time95_s) / 2
    return replace(cheap, objective=replace(cheap.objective, deadline_s=middle))


def _money(view: PlanView) -> PlanView:
    view = _open(view)
    return replace(view, objective=replace(view.objective, max_money=solve(view).score.money / 2))


def _ready(view: PlanView) -> PlanView:
    """Every remote node is busy for some seconds."""
    view = _open(view)
    assert view.estimates is not None
    nodes = {
        name: replace(node, ready_s=0.0 if not number else 2.0 + number)
        for number, (name, node) in enumerate(view.estimates.nodes.items())
    }
    return replace(view, estimates=replace(view.estimates, nodes=nodes))


@contextlib.contextmanager
def _priority() -> Iterator[None]:
    """The highest priority that the system allows, for a while."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


def main() -> int:
    """Measures, prints, writes; 0 when every bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    rows = []
    for row in measure(quick=flags.quick, say=lambda line: print(line, file=sys.stderr, flush=True)):
        rows.append(row)
        print(show(row), flush=True)
    write(rows, flags.json)
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
