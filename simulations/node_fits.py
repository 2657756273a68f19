"""Fits what steps cost a node: by stage, and what its first step on a node computes besides."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Stage
from simulations.fits import NodeFit, Residual, StageFit, residual
from simulations.paces import deviation, pause_s
from simulations.recorded import RecordedNode, RecordedRun, RecordedStep
from simulations.strain import Strain, strain_of


def node_fit(node: RecordedNode, runs: Sequence[RecordedRun]) -> NodeFit:
    """A node by all that it computed in these runs, heat taken out where the runs show it."""
    strain = strain_of(node.id, runs)
    stages, spreads = dict[str, StageFit](), list[float]()
    for name in dict.fromkeys(stage.name for run in runs for stage in run.workload.stages):
        found = _stage(node, name, runs, strain)
        if found is not None:
            stages[name] = found
            spreads += [found.spread] * found.count
    loads = [cost.load_s for cost in node.costs.values()]
    pauses = [pause_s(run.steps, node.id) for run in runs if any(step.node == node.id for step in run.steps)]
    noise = median(spreads) if spreads else 0.0
    return NodeFit(
        node.id,
        node.tier,
        node.price_per_s,
        node.memory_bytes,
        median(loads),
        median(pauses) if pauses else 0.0,
        noise,
        stages,
        strain,
    )


@dataclass(frozen=True)
class _Observed:
    stage: Stage
    step: RecordedStep
    seconds: float  # at full clock, where the node's clock follows its heat
    first: bool


def _observed(node: NodeId, name: str, runs: Iterable[RecordedRun], strain: Strain) -> list[_Observed]:
    found = []
    for run in runs:
        stage = next((each for each in run.workload.stages if each.name == name), None)
        for step in run.steps:
            if stage is not None and step.node == node and step.stage == name:
                ratio = run.clock_ratio(node, step.start_s) if strain.levels else 1.0
                first = stage.entry_flops > 0 and (step.entering or step.step == stage.start_step)
                found.append(_Observed(stage, step, step.seconds * ratio, first))
    return found


def _stage(node: RecordedNode, name: str, runs: Sequence[RecordedRun], strain: Strain) -> StageFit | None:
    seen = _observed(node.id, name, runs, strain)
    if not seen:
        return None
    plain, first = [each for each in seen if not each.first], [each for each in seen if each.first]
    if plain:
        rate = median(each.stage.flops_per_step / each.seconds for each in plain)
    else:  # only first steps: one rate for all that they compute
        rate = median((each.stage.flops_per_step + each.stage.entry_flops) / each.seconds for each in first)
    beyond = [each.seconds - each.stage.flops_per_step / rate for each in first] if plain else []
    entry = median(beyond) if beyond else 0.0
    logs = [math.log(each.seconds * rate / each.stage.flops_per_step) for each in plain]
    return StageFit(
        rate,
        median(each.stage.entry_flops for each in first) / entry if entry > 0 else None,
        median(each.stage.flops_per_step for each in seen) / rate,
        deviation(logs),
        len(plain),
        len(first),
    )


def predicted_s(fit: StageFit, stage: Stage, *, first: bool) -> float:
    """What a step takes by the model."""
    seconds = stage.flops_per_step / fit.flops_per_s
    if first:
        seconds += stage.entry_flops / (fit.entry_flops_per_s or fit.flops_per_s)
    return seconds


def step_residuals(nodes: Iterable[NodeFit], runs: Sequence[RecordedRun]) -> Iterable[Residual]:
    """Of the seconds of each stage's steps on each node."""
    for node in nodes:
        for name, fit in node.stages.items():
            seen = _observed(node.id, name, runs, node.strain)
            errors = [each.seconds / predicted_s(fit, each.stage, first=each.first) - 1 for each in seen]
            yield residual(f"{name} on {node.id}", errors)
