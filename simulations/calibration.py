"""Models that are fitted to real runs: what steps cost nodes, what links carry, how far the runs are from that."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import numpy as np

from eapg_split.domain.topology import Ends, NodeId, Tier
from eapg_split.domain.workload import Stage
from eapg_split.planner.priors import assumed_link
from simulations.logged import delay_s, nothing_seen
from simulations.paces import deviation, pause_s
from simulations.recorded import RecordedNode, RecordedRun, RecordedSample, RecordedStep
from simulations.strain import Strain, strain_of

FEW_STEPS: Final = 3  # of a stage on a node, below which its figure says little
FEW_SAMPLES: Final = 5
_LEAST_BYTES: Final = 32 * 1024  # of a sample that shows a rate
_LEAST_PAIRS: Final = 12  # of samples one after the other, for how long a link stays as it is
_LEAST_SIGMA: Final = 0.02
_MOST_SIGMA: Final = 2.0
_SHORTEST_MEMORY_S: Final = 0.25
_LONGEST_MEMORY_S: Final = 300.0


@dataclass(frozen=True)
class StageFit:
    """Operations a second of a stage's steps, and of what its first step on a node computes besides (None: not seen).

    `step_s` is the median step of the runs, `spread` the deviation of its logarithm, out of `count` steps and `entries`
    first ones.
    """

    flops_per_s: float
    entry_flops_per_s: float | None
    step_s: float
    spread: float
    count: int
    entries: int


@dataclass(frozen=True)
class NodeFit:
    """A node by what it computed: `pause_s` passes between two of its steps, `load_s` to load a stage's weights.

    `noise` is the deviation of the logarithm of its steps, `strain` how heat slows it down and what it draws.
    """

    id: NodeId
    tier: Tier
    price_per_s: float
    memory_bytes: int | None
    load_s: float
    pause_s: float
    noise: float
    stages: Mapping[str, StageFit]
    strain: Strain


@dataclass(frozen=True)
class LinkFit:
    """One direction of a link: mean rate, deviation of its logarithm, seconds for which it stays (0: not known)."""

    ends: Ends
    bits_per_s: float
    sigma: float
    memory_s: float
    delay_s: float
    count: int


@dataclass(frozen=True)
class Residual:
    """How far what was measured is from the model: median and 95th percentile of the relative error."""

    what: str
    count: int
    median: float
    p95: float


@dataclass(frozen=True)
class Calibration:
    """What was fitted to some runs; `around_s` passes before a job looks for a plan and after its last step.

    `notes` say of what there was too little.
    """

    runs: tuple[RecordedRun, ...]
    nodes: tuple[NodeFit, ...]
    links: tuple[LinkFit, ...]
    residuals: tuple[Residual, ...]
    around_s: float
    notes: tuple[str, ...] = ()


def calibrate(runs: Sequence[RecordedRun]) -> Calibration:
    """Fits to all runs together; nodes of one name are taken to be one node."""
    described = {node.id: node for run in runs for node in run.nodes}
    nodes = tuple(_node(node, runs) for node in described.values())
    tiers = {node.id: node.tier for node in nodes}
    ends = sorted({link.ends for run in runs for link in run.links if not link.relayed})
    seen = [(each, _samples(runs, each)) for each in ends]
    links = tuple(_link(each, samples, runs) for each, samples in seen if samples)
    unseen = [each for each, samples in seen if not samples]
    residuals = (*_step_residuals(nodes, runs), *_link_residuals(links, runs))
    notes = [
        *_few(nodes, links),
        *(nothing_seen(each, assumed_link(*(tiers[end] for end in each))) for each in unseen),
    ]
    around_s = median(_around_s(run) for run in runs)
    return Calibration(tuple(runs), nodes, links, tuple(residuals), around_s, tuple(notes))


def _around_s(run: RecordedRun) -> float:
    looked_s = min((trip.at_s - trip.seconds for trip in run.trips), default=run.planned_s)
    last_s = max(step.start_s + step.seconds for step in run.steps)
    return max(0.0, min(looked_s, run.planned_s)) + max(0.0, run.wall_s - last_s)


# nodes


def _node(node: RecordedNode, runs: Sequence[RecordedRun]) -> NodeFit:
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


def _step_residuals(nodes: Iterable[NodeFit], runs: Sequence[RecordedRun]) -> Iterable[Residual]:
    for node in nodes:
        for name, fit in node.stages.items():
            seen = _observed(node.id, name, runs, node.strain)
            errors = [each.seconds / predicted_s(fit, each.stage, first=each.first) - 1 for each in seen]
            yield residual(f"{name} on {node.id}", errors)


def residual(what: str, errors: Sequence[float]) -> Residual:
    """Of relative errors, whichever their sign."""
    absolute = np.abs(np.array(errors))
    return Residual(what, len(errors), float(np.median(absolute)), float(np.percentile(absolute, 95)))


# links


def _samples(runs: Iterable[RecordedRun], ends: Ends) -> list[tuple[float, RecordedSample]]:
    """What a link carried in all runs, with its moment on the wall clock; what others believed of it without that."""
    found = [
        (run.began_s + sample.at_s, sample)
        for run in runs
        for sample in run.samples
        if sample.ends == ends and sample.bytes >= _LEAST_BYTES
    ]
    if not found:
        found = [
            (
                run.began_s + link.at_s,
                RecordedSample(ends, _LEAST_BYTES, 8 * _LEAST_BYTES / link.bits_per_s, link.at_s),
            )
            for run in runs
            for link in run.links
            if link.ends == ends and link.known and not link.relayed
        ]
    return sorted(found, key=lambda each: each[0])


def _link(
    ends: Ends, samples: Sequence[tuple[float, RecordedSample]], runs: Sequence[RecordedRun]
) -> LinkFit:
    """The mean is bytes over seconds, so that what the link carried takes as long as it did."""
    mean = 8 * sum(each.bytes for _, each in samples) / sum(each.seconds for _, each in samples)
    logs = np.array([math.log(8 * each.bytes / each.seconds) for _, each in samples])
    sigma = min(_MOST_SIGMA, deviation(logs.tolist()))
    tiers = {node.id: node.tier for run in runs for node in run.nodes}
    prior = assumed_link(tiers[ends[0]], tiers[ends[1]])
    delays = [delay_s(run, ends, prior.rtt_s) for run in runs if ends[0] in {node.id for node in run.nodes}]
    moments = np.array([moment for moment, _ in samples])
    memory_s = _memory_s(moments, logs) if sigma > _LEAST_SIGMA else 0.0
    return LinkFit(ends, mean, sigma, memory_s, min(delays), len(samples))


def _memory_s(moments: "np.ndarray", logs: "np.ndarray") -> float:
    """After how long the correlation of the rate's logarithm has fallen to 1/e; 0 where there are too few samples.

    Of an AR(1) process two samples t apart correlate by exp(-t / memory): the memory under which the products of
    neighbours come closest to that.
    """
    off = logs - logs.mean()
    variance = float(np.mean(off**2))
    pairs = [
        (after - before, a * b)
        for (before, a), (after, b) in pairwise(zip(moments.tolist(), off.tolist(), strict=True))
        if after > before
    ]
    if len(pairs) < _LEAST_PAIRS or variance <= 0:
        return 0.0
    apart = np.array([pair[0] for pair in pairs])
    products = np.array([pair[1] for pair in pairs]) / variance
    tried = np.geomspace(_SHORTEST_MEMORY_S, _LONGEST_MEMORY_S, 60)
    errors = [float(np.sum((products - np.exp(-apart / memory)) ** 2)) for memory in tried]
    return float(tried[int(np.argmin(errors))])


def _link_residuals(links: Iterable[LinkFit], runs: Sequence[RecordedRun]) -> Iterable[Residual]:
    """Of the seconds that what a link carried should have taken at its mean rate."""
    for link in links:
        samples = _samples(runs, link.ends)
        errors = [each.seconds * link.bits_per_s / (8 * each.bytes) - 1 for _, each in samples]
        yield residual(f"link {link.ends[0]} to {link.ends[1]}", errors)


# what there was too little of


def _few(nodes: Iterable[NodeFit], links: Iterable[LinkFit]) -> Iterable[str]:
    for node in nodes:
        if not node.stages:
            yield f"{node.id} computed nothing: its speed is what its profile says."
            continue
        rare = [name for name, fit in node.stages.items() if fit.count + fit.entries < FEW_STEPS]
        if rare:
            yield f"Fewer than {FEW_STEPS} steps of {', '.join(rare)} on {node.id}."
        yield from node.strain.notes
    for link in links:
        way = f"from {link.ends[0]} to {link.ends[1]}"
        if link.count < FEW_SAMPLES:
            yield f"Only {link.count} samples of the link {way}."
        elif link.sigma > _LEAST_SIGMA and not link.memory_s:
            yield f"Too few samples of the link {way} one after the other to say for how long its rate stays."
