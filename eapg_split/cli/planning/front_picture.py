"""The plans that nothing beats in time, energy and money, each with a number and its words below."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.made import MadePlan
from eapg_split.cli.planning.names import brief
from eapg_split.cli.planning.svg import PAGE, clip, head, picture
from eapg_split.cli.report_page.figure import INK, LINE, MUTED, label
from eapg_split.cli.report_page.markup import plain
from eapg_split.cli.text import duration
from eapg_split.planner.walk import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_WIDTH: Final = 9.6
_PLOT: Final = 4.3  # inches, with the head
_ROW: Final = 0.23
_CHEAP_TO_DEAR: Final = ("#3b82c4", "#c2559d", "#e3a008")
_COLUMNS: Final = (0.0, 0.035, 0.135, 0.22, 0.305)  # number, time, energy, money, plan
_MOST_WORDS: Final = 100
_NEAR: Final = 0.028  # of the axes' width: how far a number is from its point
_TALL: Final = 0.35  # the axes are about so high for their width
_POINTS_WIDE: Final = 460  # and so wide, in typographic points


@dataclass(frozen=True)
class _Point:
    """One plan of the picture; the one that the policy made may be beaten by others."""

    name: str
    words: str
    score: Score
    chosen: bool


@dataclass(frozen=True)
class _Axis:
    name: str
    value: Callable[[Score], float]


_ENERGY: Final = _Axis("joules of the device's battery", lambda score: score.energy_j)
_MONEY: Final = _Axis("money", lambda score: score.money)


def front_picture(made: MadePlan) -> str:
    """The SVG document. Where no battery is drained, money takes the axis of energy."""
    points = _points(made)
    energies = {round(point.score.energy_j, 6) for point in points}
    upward = _ENERGY if len(energies) > 1 or energies != {0.0} else _MONEY

    def paint(figure: "Figure") -> None:
        plot, below = figure.subplots(2, 1, height_ratios=(_PLOT - 1.2, 0.2 + _ROW * (len(points) + 1)))
        _scatter(figure, plot, points, upward)
        _table(below, points)
        objective = made.view.objective
        title = f"Plans that nothing beats, and what {label(made.planner)} chooses for {objective.goal}"
        head(figure, title, clip(made), _legend())

    size = _WIDTH, _PLOT + _ROW * (len(points) + 2)
    words = "; ".join(f"{point.name}: {point.words}, {duration(point.score.time_s)}" for point in points)
    return picture("front", f"Plans by time, energy and money. {words}", size, paint)


def _points(made: MadePlan) -> list[_Point]:
    assert made.choices is not None
    found, chosen = [], False
    for number, choice in enumerate(made.choices, start=1):
        same = choice.plan.segments == made.plan.segments
        chosen = chosen or same
        found.append(_Point(str(number), brief(made.workload, choice.plan), choice.score, same))
    if not chosen and math.isfinite(made.score.time_s):
        found.append(_Point("*", brief(made.workload, made.plan), made.score, chosen=True))
    return found


def _scatter(figure: "Figure", axes: "Axes", points: Sequence[_Point], upward: _Axis) -> None:
    from matplotlib.colors import Normalize

    times, heights = [p.score.time_s for p in points], [upward.value(p.score) for p in points]
    money = [p.score.money for p in points]
    coloured = upward is not _MONEY and max(money) - min(money) > 1e-9
    scale, colours = Normalize(min(money), max(money) if coloured else min(money) + 1), _colours()
    for point, time_s, height in zip(points, times, heights, strict=True):
        edge, width = (INK, 2.0) if point.chosen else (PAGE, 0.8)
        face = colours(scale(point.score.money))
        axes.plot(
            time_s,
            height,
            "o",
            markersize=11,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=width,
        )
    _limits(axes, times, heights)
    _numbers(axes, points, times, heights)
    axes.ticklabel_format(useOffset=False)
    axes.set_xlabel("predicted seconds")
    axes.set_ylabel(upward.name)
    axes.grid(visible=True)
    if coloured:
        from matplotlib.cm import ScalarMappable

        bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, pad=0.015, aspect=30)
        bar.set_label("money", color=MUTED)
        bar.outline.set_edgecolor(LINE)


def _limits(axes: "Axes", times: Sequence[float], heights: Sequence[float]) -> None:
    """Room around the points; from nothing where that costs little of the picture."""
    for values, set_limits in ((times, axes.set_xlim), (heights, axes.set_ylim)):
        low, high = min(values), max(values)
        margin = max(0.09 * (high - low), 0.02 * high) or 1.0
        set_limits((0.0 if low < 0.4 * high else low - margin), high + 1.4 * margin)


def _numbers(
    axes: "Axes", points: Sequence[_Point], times: Sequence[float], heights: Sequence[float]
) -> None:
    """Each number beside its point, on the side where it is farthest from other points and numbers."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken = [
        ((time_s - left) / (right - left), _TALL * (height - bottom) / (top - bottom))
        for time_s, height in zip(times, heights, strict=True)
    ]
    for point, place, time_s, height in zip(points, tuple(taken), times, heights, strict=True):
        spot = max(_around(*place), key=lambda side: min(math.dist(side, other) for other in taken))
        taken.append(spot)
        axes.annotate(
            point.name,
            (time_s, height),
            ((spot[0] - place[0]) * _POINTS_WIDE, (spot[1] - place[1]) * _POINTS_WIDE),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
            color=INK,
        )


def _around(x: float, y: float) -> list[tuple[float, float]]:
    """Eight places, above first; none on the axis, where other figures are."""
    angles = (math.pi * turn / 4 for turn in (2, 1, 0, 7, 6, 5, 4, 3))
    sides = ((x + _NEAR * math.cos(angle), y + _NEAR * math.sin(angle)) for angle in angles)
    return [side for side in sides if side[1] > _NEAR / 2]


def _table(axes: "Axes", points: Sequence[_Point]) -> None:
    """The plans by their numbers."""
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(len(points) + 1, 0)
    rows = [("", "time", "energy", "money", "plan")]
    for point in points:
        score = point.score
        words = plain(point.words, _MOST_WORDS)
        rows.append(
            (point.name, duration(score.time_s), f"{score.energy_j:.3g} J", f"{score.money:.3g}", words)
        )
    for height, row in enumerate(rows):
        chosen = height > 0 and points[height - 1].chosen
        for at, words in zip(_COLUMNS, row, strict=True):
            colour = MUTED if height == 0 else INK
            weight = "bold" if chosen else "normal"
            written = axes.text(
                at, height + 0.5, words, fontsize=8.5, color=colour, weight=weight, va="center"
            )
            written.set_in_layout(False)  # long words must not make the plot above them narrow


def _legend() -> list["Line2D"]:
    from matplotlib.lines import Line2D

    def dot(words: str, face: str, edge: str, width: float) -> Line2D:
        return Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=8,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=width,
            label=words,
        )

    return [
        dot("nothing beats it", _CHEAP_TO_DEAR[0], PAGE, 1),
        dot("what the policy chooses (* where another plan beats it)", PAGE, INK, 2),
    ]


def _colours() -> "LinearSegmentedColormap":
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("money", list(_CHEAP_TO_DEAR))
