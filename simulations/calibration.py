"""Models that are fitted to real runs: what steps cost nodes, what links carry, how far the runs are from that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from eapg_split.planner.priors import assumed_link
from simulations.fits import LinkFit, NodeFit, Residual
from simulations.link_fits import LEAST_SIGMA, link_fit, link_residuals, samples_over
from simulations.logged import nothing_seen
from simulations.node_fits import node_fit, step_residuals
from simulations.recorded import RecordedRun

FEW_STEPS: Final = 3  # of a stage on a node, below which its figure says little
FEW_SAMPLES: Final = 5


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
    nodes = tuple(node_fit(node, runs) for node in described.values())
    tiers = {node.id: node.tier for node in nodes}
    ends = sorted({link.ends for run in runs for link in run.links if not link.relayed})
    seen = [(each, samples_over(runs, each)) for each in ends]
    links = tuple(link_fit(each, samples, runs) for each, samples in seen if samples)
    unseen = [each for each, samples in seen if not samples]
    residuals = (*step_residuals(nodes, runs), *link_residuals(links, runs))
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
        elif link.sigma > LEAST_SIGMA and not link.memory_s:
            yield f"Too few samples of the link {way} one after the other to say for how long its rate stays."
