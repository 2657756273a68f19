"""Who would run what at which rate of the device's links, below what that would take."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.made import MadePlan
from eapg_split.cli.planning.svg import PAGE, clip, head, ink_on, node_colours, picture
from eapg_split.cli.report_page.figure import INK, LINE, MUTED, label
from eapg_split.domain.plan import Plan
from eapg_split.domain.workload import Workload
from eapg_split.planner.sweep import SweepPoint, changes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE: Final = (9.6, 5.6)
_TICKS: Final = (0.1, 1.0, 10.0, 100.0, 1000.0)
_APART: Final = 0.19  # decades between two labels of the upper axis
_ROOM: Final = 0.055  # decades that a letter of a label takes
_WIDE: Final = 8  # of the longest time to the shortest; beyond it the axis is logarithmic
_NOW: Final = "links as they are now"


@dataclass(frozen=True)
class _Stretch:
    """Rates in Mbit/s over which one plan is chosen; None where there is none."""

    begin: float
    end: float
    plan: Plan | None

    @property
    def middle(self) -> float:
        return math.sqrt(self.begin * self.end)

    @property
    def decades(self) -> float:
        return math.log10(self.end / self.begin)


def sweep_picture(made: MadePlan) -> str:
    """The SVG document."""
    assert made.points is not None
    points, marks = made.points, [each / 1e6 for each in changes(made.points)]

    def paint(figure: "Figure") -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.1))
        _seconds(above, points)
        _stages(below, made, list(_stretches(points, marks)))
        _now(above, made)
        for axes in (above, below):
            for mark in marks:
                axes.axvline(mark, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)))
        _mark_labels(above, marks)
        _frame(figure, made, below)

    goal, count = made.view.objective.goal, len(marks)
    words = (
        f"Who runs which stages while all links of the device carry 0.1 to 1000 Mbit/s, by {made.planner} for {goal}:"
        f" the plan changes {count} times."
    )
    return picture("sweep", words, _SIZE, paint)


def _stretches(points: Sequence[SweepPoint], marks: Sequence[float]) -> Iterator[_Stretch]:
    """Between one change and the next."""
    bounds = [points[0].bits_per_s / 1e6, *marks, points[-1].bits_per_s / 1e6]
    for begin, end in pairwise(bounds):
        inside = next(
            p for p in points if begin <= p.bits_per_s / 1e6 * (1 + 1e-9) and p.bits_per_s / 1e6 <= end
        )
        yield _Stretch(begin, end, inside.plan)


def _seconds(axes: "Axes", points: Sequence[SweepPoint]) -> None:
    """A line, broken where no plan keeps the limits."""
    rates = [point.bits_per_s / 1e6 for point in points]
    times = [p.score.time_s if p.score is not None and p.score.feasible else math.nan for p in points]
    axes.plot(rates, times, color=INK, linewidth=1.8)
    known = [each for each in times if math.isfinite(each)]
    if known and max(known) > _WIDE * min(known):
        from matplotlib.ticker import LogLocator, NullLocator

        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    elif known:
        axes.set_ylim(0, max(known) * 1.15)
    axes.set_ylabel("predicted seconds")
    axes.grid(visible=True, axis="y")


def _stages(axes: "Axes", made: MadePlan, stretches: list[_Stretch]) -> None:
    """A row for each stage, the first at the top; steps of a divided stage share its row."""
    workload, colours = made.workload, node_colours(made.survey.topology)
    rows = len(workload.stages)
    for stretch in stretches:
        width = stretch.end - stretch.begin
        if stretch.plan is None:
            axes.bar(stretch.begin, rows, width, align="edge", facecolor="none", edgecolor=LINE, hatch="//")
            _inside(axes, stretch, rows / 2, "no plan keeps the limits", MUTED)
            continue
        for segment in stretch.plan.segments:
            top, bottom = (rows - _height(workload, at) for at in (segment.start_step, segment.stop_step))
            colour = colours[segment.node]
            axes.bar(
                stretch.begin,
                top - bottom,
                width,
                bottom,
                align="edge",
                color=colour,
                edgecolor=PAGE,
                linewidth=1,
            )
            if top - bottom >= 0.5:
                _inside(axes, stretch, _between_lines(bottom, top), label(segment.node), ink_on(colour))
    for row in range(1, rows):
        axes.axhline(row, color=PAGE, linewidth=0.8, alpha=0.6)
    names = [stage.name for stage in workload.stages]
    axes.set_yticks([rows - 0.5 - row for row in range(rows)], names)
    axes.set_ylim(0, rows)


def _height(workload: Workload, step: int) -> float:
    """How many rows are above the boundary before a step."""
    for row, stage in enumerate(workload.stages):
        if step < stage.stop_step:
            return row + max(0, step - stage.start_step) / (stage.stop_step - stage.start_step)
    return float(len(workload.stages))


def _between_lines(bottom: float, top: float) -> float:
    """The middle of a block, or of the row above it where a line between rows is in the middle."""
    middle = (bottom + top) / 2
    return middle + 0.5 if top - bottom >= 1.5 and abs(middle - round(middle)) < 0.25 else middle


def _inside(axes: "Axes", stretch: _Stretch, height: float, words: str, colour: str) -> None:
    """Words in the middle of a stretch, if it has the room."""
    if stretch.decades >= 0.03 + _ROOM * len(words):
        axes.text(stretch.middle, height, words, color=colour, ha="center", va="center", fontsize=9)


def _now(axes: "Axes", made: MadePlan) -> None:
    """Small marks at what the device's links were seen to carry."""
    device = made.survey.topology.device.id
    links = made.survey.estimates.links
    seen = [links[ends].bits_per_s / 1e6 for ends in links if device in ends and ends in made.survey.ages_s]
    seen = [each for each in seen if _TICKS[0] <= each <= _TICKS[-1]]
    if seen:
        low, _ = axes.get_ylim()
        axes.plot(
            seen, [low] * len(seen), "^", color=MUTED, markersize=6, clip_on=False, zorder=5, label=_NOW
        )


def _mark_labels(axes: "Axes", marks: Sequence[float]) -> None:
    """Rates at which the plan changes; of those that would overlap the first."""
    last = -math.inf
    for mark in marks:
        if math.log10(mark) - last >= _APART:
            last = math.log10(mark)
            axes.annotate(
                f"{mark:.2g}" if mark < 99.5 else f"{mark:.0f}",
                (mark, 1),
                (0, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                color=MUTED,
                fontsize=8.5,
            )


def _frame(figure: "Figure", made: MadePlan, below: "Axes") -> None:
    """Axes, title and legend."""
    from matplotlib.patches import Patch

    below.set_xscale("log")
    below.set_xlim(_TICKS[0], _TICKS[-1])
    below.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    below.set_xticks([], minor=True)
    below.set_xlabel("Mbit/s on every link of the device, in both directions (round trips as they are)")
    used = {part.node for p in made.points or () if p.plan is not None for part in p.plan.segments}
    colours = node_colours(made.survey.topology)
    patches = [Patch(color=colour, label=label(node)) for node, colour in colours.items() if node in used]
    lines, _ = figure.axes[0].get_legend_handles_labels()
    title = f"Who runs what as links get faster: {label(made.planner)}, for {made.view.objective.goal}"
    head(figure, title, clip(made), [*patches, *lines])
