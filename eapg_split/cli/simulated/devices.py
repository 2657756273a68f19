"""`devices.svg`: charge, temperature and clock of devices over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.svg import head
from eapg_split.cli.report_page.figure import INK, label
from eapg_split.cli.simulated.reading import PolicyRuns
from eapg_split.cli.simulated.sampled import BODY, Samples, read, until_s
from eapg_split.cli.simulated.style import WIDE, draw, entries, grid, line_style, time_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST: Final = 3  # things side by side
_ROW: Final = 1.65  # inches
_FULL: Final = 102.0  # per cent, or degrees that nothing comes near to


def devices_picture(title: str, policies: Sequence[PolicyRuns]) -> str | None:
    """The SVG document; None where no device has a battery or heat."""
    runs = [read(each.first) for each in policies]
    rows = [
        _Row("charge", "battery %", 100.0, 10.0),
        _Row("temperature_c", "skin \N{DEGREE SIGN}C", 1.0, 4.0),
        _Row("clock_ratio", "clock %", 100.0, 50.0),
    ]
    rows = [row for row in rows if any(run.values[row.key] for run in runs)]
    if not rows:
        return None
    if rows[-1].key == "clock_ratio" and not _throttled(runs):
        rows.pop()
    names = sorted({name for run in runs for key in BODY[:2] for name in run.values[key]}, key=_natural)
    columns = _extremes(names, runs)

    def paint(figure: "Figure") -> None:
        panels = figure.subplots(len(rows), len(columns), sharex=True, sharey="row", squeeze=False)
        for line, row in zip(panels, rows, strict=True):
            for axes, name in zip(line, columns, strict=True):
                _lines(axes, row, name, runs)
            line[0].set_ylabel(row.words)
            _widen(line[0], row.least_span)
        for axes, (name, what) in zip(panels[0], columns.items(), strict=True):
            axes.set_title(f"{label(name)}{what}", color=INK)
        for axes in panels[-1]:
            time_axis(axes, until_s(runs))
        below = f"{title}: seed {policies[0].first.seed}"
        below += f"; {len(columns)} of {len(names)} devices" if len(names) > len(columns) else ""
        head(figure, "What the work does to the devices", below, entries([each.label for each in policies]))

    words = f"{title}: battery and temperature of {', '.join(columns)} over time, under each policy."
    return draw("devices", words, (WIDE, 1.5 + _ROW * len(rows)), paint)


@dataclass(frozen=True)
class _Row:
    key: str
    words: str
    factor: float
    least_span: float  # of the axis, so that nothing looks larger than it is


def _lines(axes: "Axes", row: _Row, name: str, runs: Sequence[Samples]) -> None:
    divisor = time_axis(axes, until_s(runs))
    axes.set_xlabel("")
    for number, run in enumerate(runs):
        series = run.values[row.key].get(name)
        if series is not None:
            steps = "steps-post" if row.key == "clock_ratio" else "default"
            axes.plot(run.at_s / divisor, row.factor * series, drawstyle=steps, **line_style(number))
    grid(axes)


def _widen(axes: "Axes", least: float) -> None:
    """At least so long an axis."""
    low, high = axes.get_ylim()
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    axes.set_ylim(low, min(high, _FULL))


def _extremes(names: Sequence[str], runs: Sequence[Samples]) -> dict[str, str]:
    """At most three devices, and what is said of them: the one that is worst off in the end, the median, the best."""
    if len(names) <= _MOST:
        return dict.fromkeys(names, "")
    key, words = ("charge", "fullest") if runs[0].values["charge"] else ("temperature_c", "coolest")
    series = runs[0].values[key]
    ranked = sorted(
        series,
        key=lambda name: (series[name][-1] if key == "charge" else -series[name].max(), _natural(name)),
    )
    worst = "emptiest" if key == "charge" else "hottest"
    picked = {ranked[0]: worst, ranked[len(ranked) // 2]: "median", ranked[-1]: words}
    return {name: f" ({what})" for name, what in picked.items()}


def _throttled(runs: Sequence[Samples]) -> bool:
    return any(series.min() < 1 for run in runs for series in run.values["clock_ratio"].values())


def _natural(name: str) -> tuple[str, int]:
    """phone-2 before phone-10."""
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdecimal() else (name, 0)
