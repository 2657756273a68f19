"""`sweep.svg`: latency over the first parameter that is a number; a panel for each setting of the others."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.svg import head
from eapg_split.cli.report_page.figure import INK, label
from eapg_split.cli.simulated.style import colour, draw, grid, policy_label
from simulations.settings import Parameter, Setting
from simulations.sweeps import Row, Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS: Final = 12
_ACROSS: Final = 3
_PANEL: Final = (3.6, 2.9)  # inches
_LEAST: Final = 6.4
_WIDE_RANGE: Final = 20.0  # beyond it an axis is logarithmic
_LINES: Final = (("latency_p50_s", "-", "o"), ("latency_p95_s", (0, (4, 1.6)), "^"))

Panels = Mapping[tuple[Setting, ...], list[Row]]


def sweep_picture(sweep: Sweep, rows: Sequence[Row]) -> str | None:
    """The SVG document; None where no parameter is a number, or where the others have too many settings."""
    axis, panels = sweep.axis, dict[tuple[Setting, ...], list[Row]]()
    for row in rows:
        others = tuple(each for each in row.settings if axis is None or each.path != axis.path)
        panels.setdefault(others, []).append(row)
    if axis is None or len(axis.values) < 2 or len(panels) > MAX_PANELS:
        return None
    across = min(_ACROSS, len(panels))
    down = -(-len(panels) // across)
    wide = max(_LEAST, _PANEL[0] * across)

    def paint(figure: "Figure") -> None:
        from matplotlib.lines import Line2D

        panes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, others in zip(panes.flat, panels, strict=False):
            _panel(axes, sweep, axis, panels[others])
            axes.set_title(label(", ".join(map(str, others))), fontsize=9, color=INK)
        for axes in list(panes.flat)[len(panels) :]:
            axes.set_visible(False)
        _axes(panes.flat[0], axis, rows)
        for number, axes in enumerate(panes.flat):
            if number % across == 0:
                axes.set_ylabel("seconds of a job")
            if number + across >= len(panels):
                axes.set_xlabel(label(axis.path))
                axes.tick_params(labelbottom=True)
        entries = [
            Line2D([], [], color=colour(number), label=policy_label(name))
            for number, name in enumerate(sweep.policies)
        ]
        below = f"{sweep.scenario.title}: median (line) and 95th percentile (dashes), mean of {len(sweep.seeds)} seeds"
        head(figure, f"Latency over {axis.path}", below, entries)

    words = f"{sweep.scenario.title}: latency over {axis.path} under {', '.join(map(policy_label, sweep.policies))}."
    return draw("sweep", words, (wide, _PANEL[1] * down + 0.9), paint)


def _panel(axes: "Axes", sweep: Sweep, axis: Parameter, rows: Sequence[Row]) -> None:
    for number, policy in enumerate(sweep.policies):
        own = sorted((row for row in rows if row.policy == policy), key=lambda row: _at(row, axis))
        places = [_at(row, axis) for row in own]
        under = min(
            4, len(sweep.policies) - 1 - number
        )  # wider, so that lines that lie on each other are seen
        for figure, dashes, mark in _LINES:
            found = [row.figures[figure] for row in own]
            halves = [0.0 if math.isnan(each.half) or mark != "o" else each.half for each in found]
            axes.errorbar(
                places,
                [each.mean for each in found],
                yerr=halves,
                color=colour(number),
                linestyle=dashes,
                marker=mark,
                markersize=4 + 1.5 * under,
                linewidth=1.4 + 1.4 * under,
                elinewidth=0.8,
                capsize=2,
            )
    grid(axes)


def _axes(axes: "Axes", axis: Parameter, rows: Sequence[Row]) -> None:
    """Logarithmic where the values are far apart; panels share both."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    plain = FuncFormatter(lambda value, _: f"{value:g}")
    places = sorted({_at(row, axis) for row in rows})
    if places[0] > 0 and places[-1] > _WIDE_RANGE * places[0]:
        axes.set_xscale("log")
        axes.set_xticks(places)
        axes.xaxis.set_major_formatter(plain)
        axes.xaxis.set_minor_locator(NullLocator())
    heights = [row.figures[figure].mean for row in rows for figure, _, _ in _LINES]
    heights = [height for height in heights if not math.isnan(height)]
    if heights and max(heights) > _WIDE_RANGE * min(heights) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(plain)
    else:
        axes.set_ylim(0, 1.15 * max(heights, default=1.0))  # wide intervals would make all else flat


def _at(row: Row, axis: Parameter) -> float:
    value = next(setting.value for setting in row.settings if setting.path == axis.path)
    assert isinstance(value, int | float)
    return float(value)
