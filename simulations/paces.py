"""How fast the nodes of a recorded run really computed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median
from typing import Final

from eapg_split.domain.profile import StageCost
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Stage
from simulations.body import busy_factor
from simulations.looks import Looks
from simulations.recorded import RecordedNode, RecordedRun, RecordedStep

_BORROWED: Final = 0.5  # of a node's drift, in logarithms, for a stage that it did not compute
_MOST_NOISE: Final = 0.5
_MOST_PAUSE_S: Final = 0.25  # between two steps; what is longer is waiting or loading
_MAD: Final = 1.4826  # deviations of a normal distribution in one median absolute deviation


@dataclass(frozen=True)
class Paces:
    """How a node really computed: by stage what steps cost, the noise of its steps, and what it never showed."""

    costs: Mapping[str, StageCost]
    noise: float
    unseen: tuple[str, ...]


def paces_of(run: RecordedRun, node: RecordedNode) -> Paces:
    """From the steps that the node computed: means by stage, the profile times the node's drift for other stages.

    Means, for whatever disturbed the run is part of it; and less by what the noise adds to the mean of what is drawn.
    """
    pause = pause_s(run.steps, node.id)
    taken = {stage.name: taken_s(run, node, stage) for stage in run.workload.stages}
    noise = min(_MOST_NOISE, deviation([log for each in taken.values() if each for log in each.logs]))
    costs, drifts = dict[str, StageCost](), list[float]()
    for stage in run.workload.stages:
        found, believed = taken[stage.name], node.costs[stage.name]
        if found is None:
            continue
        step_s = found.step_s / math.exp(noise**2 / 2)
        drifts.append(math.log(step_s / believed.seconds(stage.flops_per_step)))
        costs[stage.name] = replace(
            believed,
            overhead_s=pause,
            load_s=_load_s(run, node, found.first, pause) if found.first else believed.load_s,
            flops_per_s=stage.flops_per_step / step_s,
            entry_flops_per_s=stage.entry_flops / found.entry_s if found.entry_s else math.inf,
        )
    factor = math.exp(_BORROWED * median(drifts)) if drifts else 1.0
    factor *= busy_factor(Looks(run.looks.get(node.id, ())).at(0.0).get("load", 0.0)) if not drifts else 1.0
    unseen = tuple(name for name in node.costs if name not in costs)
    for name in unseen:
        costs[name] = _slower(node.costs[name], factor, pause)
    return Paces(costs, noise, unseen)


@dataclass(frozen=True)
class Taken:
    """What the steps of a stage took on a node on average at full clock, and its first ones besides.

    `logs` are those of its steps over their median, `first` is the first one that entered the stage there.
    """

    step_s: float
    entry_s: float
    logs: tuple[float, ...]
    first: RecordedStep | None


def taken_s(run: RecordedRun, node: RecordedNode, stage: Stage) -> Taken | None:
    """None where the node computed none of it."""
    own = [step for step in run.steps if step.node == node.id and step.stage == stage.name]
    if not own:
        return None
    believed = node.costs[stage.name]
    believed_s, entry_s = believed.seconds(stage.flops_per_step), believed.entry_seconds(stage.entry_flops)
    full = {step.step: step.seconds * run.clock_ratio(node.id, step.start_s) for step in own}
    first = [each for each in own if each.entering or each.step == stage.start_step]
    plain = [full[each.step] for each in own if each not in first or not stage.entry_flops]
    if not plain:  # the profile says how the first step divides
        share = median(full[each.step] for each in first) / (believed_s + entry_s)
        return Taken(believed_s * share, entry_s * share, (), first[0])
    step_s, middle = fmean(plain), median(plain)
    if first and stage.entry_flops:
        entry_s = max(0.0, fmean(full[each.step] for each in first) - step_s)
    logs = tuple(math.log(seconds / middle) for seconds in plain)
    return Taken(step_s, entry_s if stage.entry_flops else 0.0, logs, first[0] if first else None)


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of what is not an outlier: by the median of the distances from the median."""
    if len(values) < 2:
        return 0.0
    middle = median(values)
    return _MAD * median(abs(value - middle) for value in values)


def _slower(cost: StageCost, factor: float, pause: float) -> StageCost:
    return replace(
        cost,
        overhead_s=cost.overhead_s * factor + pause,
        flops_per_s=cost.flops_per_s / factor,
        entry_flops_per_s=cost.entry_flops_per_s / factor,
    )


def pause_s(steps: Sequence[RecordedStep], node: NodeId) -> float:
    """What passes on average between two steps of a node that follow each other."""
    pauses = [
        after.start_s - before.start_s - before.seconds
        for before, after in pairwise(steps)
        if before.node == after.node == node and not after.entering
    ]
    return fmean(min(_MOST_PAUSE_S, max(0.0, pause)) for pause in pauses) if pauses else 0.0


def _load_s(run: RecordedRun, node: RecordedNode, step: RecordedStep, pause: float) -> float:
    """How long the device's first step of a stage waited, for its weights; others load theirs ahead."""
    if node.id != run.device.id:
        return node.costs[step.stage].load_s
    ends = [each.start_s + each.seconds for each in run.steps if each.step < step.step]
    ends += [hop.start_s + hop.seconds for hop in run.hops if hop.step <= step.step]
    return max(0.0, step.start_s - max([run.planned_s, *ends]) - pause)
