"""Learns how wrong its estimates are while it plans with them: what is explored are corrections, not plans.

Arms that are plans would need many jobs each. A correction of one node's step times or of one link's rate is learned
from every job that touches it, whatever its plan, and the exact planner makes the plan of it. The forced samples are
those of ANS (Zhang et al., WWW 2021): a device that works alone learns nothing about others, for ever.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.beliefs import Belief, Line, beliefs_of, beliefs_state
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.estimates import Estimates, NodeEstimate
from eapg_split.planner.optimal import best, unmeasured_plan
from eapg_split.planner.policy import (
    Measurement,
    Occasion,
    PlanView,
    Revision,
    State,
    StepMeasured,
)
from eapg_split.planner.revisions import illegal
from eapg_split.planner.solve import Solution, price, solve
from eapg_split.planner.walk import Score

MAX_REGRET: Final = 0.05  # of a sampled plan, as the mean of what is believed sees it
MAX_FORCED_REGRET: Final = 0.5  # of a forced sample
_VERSION: Final = 1
_MAX_BELIEFS: Final = 1000

Lines = Mapping[str, Line]


class BanditPolicy(DpAdaptivePolicy):
    """Thompson sampling of corrections to step times and link rates, planned with exactly; remembers between jobs."""

    name = "bandit"

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._seed = seed
        self._beliefs: dict[str, Belief] = {}
        self._jobs = 0
        self._samples = 0
        self._view: PlanView | None = None  # what was believed when the newest plan was looked at
        self._counts_a_job = False
        self._probing: NodeId | None = None  # a forced sample that has not been taken yet
        self._where: NodeId | None = None  # who did the last step

    def plan(self, view: PlanView) -> Plan:
        self._view = view
        if view.estimates is None:
            return unmeasured_plan(view)
        if view.start_step == 0:
            self._counts_a_job, self._probing, self._where = True, None, view.topology.device.id
        chosen = best(self._corrected(view, self._mean()), self.tables)
        if view.start_step == 0 and self._probe_is_due(view, chosen):
            probe = self._probe(view, chosen)
            if probe is not None:
                return probe
        return self._sampled(view, chosen)

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        self._view = view
        if self._probing is not None and not illegal(view, current):
            return Revision(None, f"A sample of {self._probing} is due, so the plan is kept.")
        return super().revise(self._corrected(view, self._mean()), current, occasion)

    def observe(self, measurement: Measurement) -> None:
        if self._counts_a_job:
            self._jobs, self._counts_a_job = self._jobs + 1, False
        if self._view is None or self._view.estimates is None:
            return
        arrived = False
        if isinstance(measurement, StepMeasured):
            arrived, self._where = measurement.node != self._where, measurement.node
        found = _sample(self._view, self._view.estimates, measurement, arrived=arrived)
        if found is None:
            return
        key, z, log_ratio = found
        if key in self._beliefs or len(self._beliefs) < _MAX_BELIEFS:
            self._beliefs[key] = self._beliefs.get(key, Belief()).after(z, log_ratio)
            self._samples += 1
        if isinstance(measurement, StepMeasured) and measurement.node == self._probing:
            self._probing = None

    def state_dict(self) -> State:
        return {
            "version": _VERSION,
            "jobs": self._jobs,
            "samples": self._samples,
            "beliefs": beliefs_state(self._beliefs),
        }

    def load_state_dict(self, state: State) -> None:
        jobs, samples = state.get("jobs"), state.get("samples")
        counts = all(type(count) is int and count >= 0 for count in (jobs, samples))
        if state.get("version") != _VERSION or not counts:
            raise ValueError(f"this is no state of version {_VERSION} of the bandit")
        self._beliefs = beliefs_of(state.get("beliefs"))
        self._jobs, self._samples = int(str(jobs)), int(str(samples))

    def _mean(self) -> Lines:
        return {key: belief.draw() for key, belief in self._beliefs.items()}

    def _sampled(self, view: PlanView, chosen: Solution) -> Plan:
        """The plan for a draw of what might be true, where that does not look dear; else the one for the mean."""
        rng = np.random.default_rng((self._seed, self._samples, view.start_step))
        keys = sorted(_keys(view))
        drawn = {
            key: self._beliefs.get(key, Belief()).draw((first, second))
            for key, (first, second) in zip(keys, rng.standard_normal((len(keys), 2)).tolist(), strict=True)
        }
        try:
            plan = best(self._corrected(view, drawn), self.tables).plan
        except InfeasiblePlan:
            return chosen.plan
        if _dearer(price(chosen.tables.view, plan, chosen.tables), chosen) > MAX_REGRET:
            return chosen.plan
        return plan

    def _probe_is_due(self, view: PlanView, chosen: Solution) -> bool:
        """Every ceil(T^0.25)-th of T jobs that would stay on the device alone."""
        device = view.topology.device.id
        alone = all(segment.node == device for segment in chosen.plan.segments)
        return alone and self._jobs % max(1, math.ceil(self._jobs**0.25)) == 0

    def _probe(self, view: PlanView, chosen: Solution) -> Plan | None:
        """The least dear plan that gives a stage to the remote node of which least is known, unless it is too dear."""
        absent = view.unavailable | {view.topology.device.id}
        remotes = [node.id for node in view.topology.nodes if node.id not in absent]
        remotes.sort(key=lambda node: (-self._beliefs.get(_node_key(node), Belief()).uncertainty, node))
        for node in remotes:
            ways = [
                way for way in _ways_with(chosen, node) if _dearer(way.score, chosen) <= MAX_FORCED_REGRET
            ]
            if ways:
                self._probing = node
                plan = min(ways, key=lambda way: way.score.objective).plan
                return replace(plan, notes=(*plan.notes, f"Some steps go to {node} to learn how fast it is."))
        return None

    def _corrected(self, view: PlanView, lines: Lines) -> PlanView:
        """The same view with estimates as the lines correct them."""
        estimates = view.estimates
        if estimates is None or not lines:
            return view
        nodes = {
            node: _slowed(view, estimate, lines[_node_key(node)]) if _node_key(node) in lines else estimate
            for node, estimate in estimates.nodes.items()
        }
        z = _transfer_z(_typical_bytes(estimates))
        links = {
            ends: replace(link, bits_per_s=link.bits_per_s / lines[_link_key(*ends)].factor(z))
            if _link_key(*ends) in lines
            else link
            for ends, link in estimates.links.items()
        }
        return replace(view, estimates=replace(estimates, nodes=nodes, links=links))


def _ways_with(chosen: Solution, node: NodeId) -> Iterator[Solution]:
    """The best plan with each stage that may run on a node bound to it."""
    tables, view = chosen.tables, chosen.tables.view
    column = tables.nodes.index(node)
    for stage in view.workload.stages:
        rows = slice(max(0, stage.start_step - view.start_step), max(0, stage.stop_step - view.start_step))
        if tables.open_steps[rows, column].all():
            open_steps = tables.open_steps.copy()
            open_steps[rows, :column] = open_steps[rows, column + 1 :] = False
            try:
                yield solve(view, replace(tables, open_steps=open_steps))
            except InfeasiblePlan:
                continue


def _dearer(score: Score, chosen: Solution) -> float:
    """By how much a plan looks dearer than the chosen one; infinite where it breaks a limit."""
    if not score.feasible or chosen.score.objective <= 0:
        return math.inf
    return score.objective / chosen.score.objective - 1


def _sample(
    view: PlanView, estimates: Estimates, measurement: Measurement, *, arrived: bool
) -> tuple[str, float, float] | None:
    """Whose belief a measurement changes, its z, and the logarithm of measured over believed; None for nonsense.

    A step is told with what arriving from another node costs when it has just `arrived` there.
    """
    if isinstance(measurement, StepMeasured):
        node = estimates.nodes.get(measurement.node)
        if node is None or not 0 <= measurement.step < len(node.step_s):
            return None
        key, believed_s = _node_key(measurement.node), node.step_s[measurement.step]
        if arrived and node.entry_s:
            believed_s += node.entry_s[measurement.step]
        z = _step_z(view.workload.stage_of(measurement.step).flops_per_step)
    else:
        link = estimates.links.get((measurement.source, measurement.target))
        if link is None or measurement.bytes <= 0 or not link.bits_per_s > 0:
            return None
        key = _link_key(measurement.source, measurement.target)
        believed_s = link.rtt_s + 8.0 * measurement.bytes / link.bits_per_s
        z = _transfer_z(measurement.bytes)
    if not (0 < believed_s < math.inf and 0 < measurement.seconds < math.inf):
        return None
    return key, z, math.log(measurement.seconds / believed_s)


def _slowed(view: PlanView, estimate: NodeEstimate, line: Line) -> NodeEstimate:
    factors = list[float]()
    for stage in view.workload.stages:
        factors += [line.factor(_step_z(stage.flops_per_step))] * (stage.stop_step - stage.start_step)
    return replace(
        estimate,
        step_s=tuple(s * f for s, f in zip(estimate.step_s, factors, strict=False)),
        entry_s=tuple(s * f for s, f in zip(estimate.entry_s, factors, strict=False)),
    )


def _keys(view: PlanView) -> Iterator[str]:
    assert view.estimates is not None
    yield from map(_node_key, view.estimates.nodes)
    for source, target in view.estimates.links:
        yield _link_key(source, target)


def _node_key(node: NodeId) -> str:
    return f"node {node}"


def _link_key(source: NodeId, target: NodeId) -> str:
    return f"link {source} {target}"


def _step_z(flops: float) -> float:
    return _log_z(flops, 10.0)


def _transfer_z(size: float) -> float:
    return _log_z(size, 6.0)


def _log_z(value: float, middle: float) -> float:
    """Decades from the middle, halved, within -2 and 2."""
    if not 0 < value < math.inf:
        return 0.0
    return max(-2.0, min(2.0, (math.log10(value) - middle) / 2))


def _typical_bytes(estimates: Estimates) -> float:
    """The median size of a coded state."""
    sizes = sorted(bits / 8 for codec in estimates.codecs for bits in codec.bits if math.isfinite(bits))
    return sizes[len(sizes) // 2] if sizes else 1e6
