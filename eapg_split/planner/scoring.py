"""The smallest policy that one can write: say what is out of the question, or what is worth how many seconds more.

    class NoCloud(ScorePolicy):
        name = "no-cloud"

        def filter(self, arc: Arc) -> bool:
            return arc.target.tier is not Tier.CLOUD

The exact optimum of the objective plus those seconds is found over all plans, and found again while the job runs.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from eapg_split.domain.topology import Node
from eapg_split.domain.workload import Stage
from eapg_split.planner.arrays import Bools, Floats
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.estimates import NodeEstimate
from eapg_split.planner.policy import PlanView
from eapg_split.planner.solve import goal_weights


@dataclass(frozen=True, slots=True)
class Arc:
    """One piece of a plan: computing a step on a node, or moving the state between two nodes just before a step.

    `source` and `target` are the same node where it computes. `seconds` is what it is believed to take. The way back
    to the device at the end has the last stage and the number of steps as its `step`.
    """

    step: int
    stage: Stage
    source: Node
    target: Node
    seconds: float
    estimate: NodeEstimate  # of the target
    bits: float = 0.0  # that cross the link

    @property
    def moves(self) -> bool:
        """Whether the state goes from one node to another."""
        return self.source is not self.target


class ScorePolicy(DpAdaptivePolicy):
    """Base of policies that steer the exact planner: override `filter`, `score` or both, and give it a `name`.

    Both are called once for each arc of each look, so they should be quick: up to some thousand calls.
    """

    name = "score"

    def filter(self, arc: Arc) -> bool:
        """Whether an arc may be used at all."""
        del arc
        return True

    def score(self, arc: Arc) -> float:
        """Seconds that the arc counts besides its cost; less than 0 draws work there, infinite forbids it.

        They weigh as much as the goal lets seconds weigh: everything under `latency`, and nearly nothing under `energy`
        and `cost`, where only `filter` steers.
        """
        del arc
        return 0.0

    def tables(self, view: PlanView) -> CostTables:
        tables = super().tables(view)
        worth = goal_weights(tables).time
        steps = np.zeros(tables.step_s.shape)
        moves = np.zeros(tables.move_s.shape)
        open_steps, open_moves = tables.open_steps.copy(), tables.open_moves.copy()
        for step, node in np.argwhere(open_steps).tolist():
            self._weigh(_computing(tables, step, node), steps, open_steps, (step, node))
        for boundary, source, target in np.argwhere(open_moves).tolist():
            if source != target:
                self._weigh(
                    _moving(tables, boundary, source, target), moves, open_moves, (boundary, source, target)
                )
        return replace(
            tables,
            open_steps=open_steps,
            open_moves=open_moves,
            penalty_steps=worth * steps,
            penalty_moves=worth * moves,
        )

    def _weigh(self, arc: Arc, extra: Floats, allowed: Bools, cell: tuple[int, ...]) -> None:
        seconds = float(self.score(arc)) if self.filter(arc) else math.inf
        if math.isnan(seconds) or seconds == -math.inf:
            raise ValueError(f"score must return seconds, not {seconds}")
        if seconds == math.inf:
            allowed[cell] = False
        else:
            extra[cell] = seconds


def _computing(tables: CostTables, step: int, node: int) -> Arc:
    view = tables.view
    here = view.topology.nodes[node]
    number = view.start_step + step
    seconds = float(tables.compute_s[step, node])
    return Arc(number, view.workload.stage_of(number), here, here, seconds, tables.estimates.nodes[here.id])


def _moving(tables: CostTables, boundary: int, source: int, target: int) -> Arc:
    view = tables.view
    there = view.topology.nodes[target]
    number = view.start_step + boundary
    return Arc(
        step=number,
        stage=view.workload.stage_of(min(number, view.workload.steps - 1)),
        source=view.topology.nodes[source],
        target=there,
        seconds=float(tables.move_s[boundary, source, target]),
        estimate=tables.estimates.nodes.get(there.id, NodeEstimate(())),
        bits=float(tables.move_bits[boundary, source, target]),
    )
