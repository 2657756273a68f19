"""Fits what a link carries: its mean rate, how far it goes from that, and for how long it stays there."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from eapg_split.domain.topology import Ends
from eapg_split.planner.priors import assumed_link
from simulations.fits import LinkFit, Residual, residual
from simulations.logged import delay_s
from simulations.paces import deviation
from simulations.recorded import RecordedRun, RecordedSample

LEAST_SIGMA: Final = 0.02  # of a rate's logarithm, below which it is taken to be steady
_LEAST_BYTES: Final = 32 * 1024  # of a sample that shows a rate
_LEAST_PAIRS: Final = 12  # of samples one after the other, for how long a link stays as it is
_MOST_SIGMA: Final = 2.0
_SHORTEST_MEMORY_S: Final = 0.25
_LONGEST_MEMORY_S: Final = 300.0


def samples_over(runs: Iterable[RecordedRun], ends: Ends) -> list[tuple[float, RecordedSample]]:
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


def link_fit(
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
    memory_s = _memory_s(moments, logs) if sigma > LEAST_SIGMA else 0.0
    return LinkFit(ends, mean, sigma, memory_s, min(delays), len(samples))


def _memory_s(moments: np.ndarray, logs: np.ndarray) -> float:
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


def link_residuals(links: Iterable[LinkFit], runs: Sequence[RecordedRun]) -> Iterable[Residual]:
    """Of the seconds that what a link carried should have taken at its mean rate."""
    for link in links:
        samples = samples_over(runs, link.ends)
        errors = [each.seconds * link.bits_per_s / (8 * each.bytes) - 1 for _, each in samples]
        yield residual(f"link {link.ends[0]} to {link.ends[1]}", errors)
