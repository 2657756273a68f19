"""`latency.svg`: how many of the jobs are done within how long, policy by policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.cli.planning.svg import head
from eapg_split.cli.simulated.reading import PolicyRuns, RunFile, ends
from eapg_split.cli.simulated.style import WIDE, colour, draw, entries, grid, line_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE: Final = (WIDE, 4.9)
_POINTS: Final = 300  # of a line at most
_WIDE_RANGE: Final = 20.0  # of the longest to the shortest; beyond it the axis is logarithmic
_SHOWN: Final = 0.998  # of all latencies; the rest would make all others narrow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Run:
    """Latencies of the jobs that were done, sorted, and how many ended."""

    done_s: Floats
    ended: int

    def within(self, seconds: Floats) -> Floats:
        """The share of the jobs that ended that was done within each of these times."""
        return np.searchsorted(self.done_s, seconds, side="right") / max(1, self.ended)


def latency_picture(title: str, policies: Sequence[PolicyRuns]) -> str | None:
    """The SVG document; None where no job was done."""
    found = [[_read(run) for run in each.runs] for each in policies]
    every = np.sort(np.concatenate([run.done_s for runs in found for run in runs]))
    if not len(every):
        return None
    times = _times(every)
    seeds, jobs = len(found[0]), sum(run.ended for runs in found for run in runs)

    def paint(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for number, runs in enumerate(found):
            _policy(axes, number, runs, times)
        _frame(axes, times)
        below = f"{title}: {jobs} jobs, seeds 1 to {seeds}"
        below += "; shaded: from the worst to the best seed" if seeds > 1 else ""
        head(
            figure,
            "How many jobs are done within how long",
            below,
            entries([each.label for each in policies]),
        )

    names = ", ".join(each.label for each in policies)
    return draw(
        "latency", f"{title}: the share of jobs that are done within a time, under {names}.", _SIZE, paint
    )


def _read(run: RunFile) -> _Run:
    jobs = [line for line in ends(run) if line["end"] != "open"]
    done = [line["latency_s"] for line in jobs if line["end"] == "done"]
    return _Run(np.sort(np.asarray(done, np.float64)), len(jobs))


def _times(every: Floats) -> Floats:
    """Where lines have their points: wherever a job was done, as far as that is not too many."""
    times = np.unique(every)
    if len(times) > _POINTS:
        times = np.unique(np.quantile(every, np.linspace(0, 1, _POINTS)))
    last = np.quantile(every, _SHOWN) if len(every) > _POINTS else times[-1]
    return np.concatenate([[times[0] * 0.98], times[times <= last * 1.000001], [last * 1.04]])


def _policy(axes: "Axes", number: int, runs: Sequence[_Run], times: Floats) -> None:
    together = _Run(np.sort(np.concatenate([run.done_s for run in runs])), sum(run.ended for run in runs))
    axes.step(times, 100 * together.within(times), where="post", **line_style(number))
    if len(runs) > 1:
        shares = 100 * np.array([run.within(times) for run in runs if run.ended])
        if len(shares):
            low, high = shares.min(axis=0), shares.max(axis=0)
            axes.fill_between(times, low, high, step="post", color=colour(number), alpha=0.13, linewidth=0)


def _frame(axes: "Axes", times: Floats) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xlim(times[0], times[-1])
    if times[-1] > _WIDE_RANGE * times[0]:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(left=0)
    axes.set_ylim(0, 101)
    axes.set_xlabel("seconds from the arrival of a job to its end")
    axes.set_ylabel("% of the jobs that ended")
    grid(axes)
