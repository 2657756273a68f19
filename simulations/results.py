"""What the jobs of a run come to, and of several runs with confidence intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from simulations.outcomes import End
from simulations.simulation import Run

# Student's t at 97.5 % for 1, 2, … degrees of freedom; beyond them nearly the normal distribution's
_T: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL: Final = 1.96


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: seconds, and joules of devices, money and bytes a job, each over the jobs that were done.

    `missed` is the share of jobs that failed or passed their deadline, of those that ended; `fairness` is Jain's index
    of the devices' mean latencies, 1 where all are alike. What no job shows is NaN.
    """

    jobs: float
    latency_p50_s: float
    latency_p95_s: float
    latency_p99_s: float
    energy_j: float
    money: float
    sent_mb: float
    missed: float
    battery_left: float
    fairness: float
    switches: float
    open: float


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean over runs, and how far the true one may be from it with 95 %; NaN where one run cannot tell."""

    mean: float
    half: float


def figures(run: Run) -> Figures:
    """What one run comes to."""
    ended = [job for job in run.outcomes if job.end is not End.OPEN]
    done = [job for job in ended if job.end is End.DONE]
    seconds = [job.latency_s for job in done]
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99)).tolist() if seconds else [math.nan] * 3
    by_device: dict[str, list[float]] = {}
    for job in done:
        by_device.setdefault(job.device, []).append(job.latency_s)
    return Figures(
        jobs=float(len(run.outcomes)),
        latency_p50_s=p50,
        latency_p95_s=p95,
        latency_p99_s=p99,
        energy_j=_mean([job.energy_j for job in done]),
        money=_mean([job.money for job in done]),
        sent_mb=_mean([job.sent_bytes / 1e6 for job in done]),
        missed=1 - len(done) / len(ended) if ended else math.nan,
        battery_left=_mean(list(run.charge.values())),
        fairness=_jain([_mean(each) for each in by_device.values()]),
        switches=_mean([float(job.switches) for job in done]),
        open=float(len(run.outcomes) - len(ended)),
    )


def intervals(runs: Sequence[Figures]) -> dict[str, Interval]:
    """Each figure over several runs; those that do not show it are left out."""
    found = {}
    for name in Figures.__dataclass_fields__:
        values = [value for value in (getattr(run, name) for run in runs) if math.isfinite(value)]
        found[name] = interval(values)
    return found


def interval(values: Sequence[float]) -> Interval:
    """The mean and half the width of its 95 % interval, by Student's distribution."""
    count = len(values)
    if count < 2:
        return Interval(_mean(values), math.nan)
    t = _T[count - 2] if count - 2 < len(_T) else _NORMAL
    return Interval(_mean(values), t * float(np.std(values, ddof=1)) / math.sqrt(count))


def plain(found: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """As JSON can hold it."""
    return {name: finite(asdict(each)) for name, each in found.items()}


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """None where nothing shows a value: JSON has no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _jain(values: Sequence[float]) -> float:
    if not values:
        return math.nan
    return float(sum(values) ** 2 / (len(values) * sum(value**2 for value in values)))
