"""`map.svg`: the nodes of a scenario, how busy they were, and what crossed the links between them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.svg import PAGE, head
from eapg_split.cli.report_page.figure import INK, MUTED, label
from eapg_split.cli.simulated.places import A_COLUMN, Ends, Network, bounds, label_of, network
from eapg_split.cli.simulated.reading import PolicyRuns, RunFile, hops, samples
from eapg_split.cli.simulated.style import WIDE, draw
from eapg_split.domain.topology import Tier
from simulations.world import Layout

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS: Final = 4
_ONE_PANEL: Final = 200  # dots beyond which only the first policy has a map
_NAMED: Final = A_COLUMN  # devices beyond which they have no names
_FEW: Final = 26  # dots that have room
_WIDEST: Final = ((_FEW, 7.0), (_ONE_PANEL, 4.0), (math.inf, 2.6))  # points, on maps of so many dots
_THINNEST: Final = 0.7
_LINE: Final = "#c9ced6"
_LOAD: Final = "#6d87a3"
_CLASSES: Final = 8  # of widths
# From light to dark, which every eye sees; and the share from which on a colour holds
_BUSY: Final = (
    (0.0, "#ffffff", "idle"),
    (1e-9, "#dbe8f3", "to 2 % busy"),
    (0.02, "#a3c8e3", "to 10 %"),
    (0.1, "#5a9bcb", "to 30 %"),
    (0.3, "#1f66a3", "to 60 %"),
    (0.6, "#08264d", "more"),
)
_MARKERS: Final = {Tier.DEVICE: "o", Tier.EDGE: "s", Tier.CLOUD: "D"}


@dataclass(frozen=True)
class _Load:
    """Of one run: how busy each dot was on average, and the bytes on each line, both directions together."""

    busy: Mapping[str, float]
    sent: Mapping[Ends, float]


def map_picture(title: str, policies: Sequence[PolicyRuns], layout: Layout) -> str:
    """The SVG document."""
    made = network(layout)
    shown = policies[: _PANELS if len(made.places) <= _ONE_PANEL else 1]
    loads = [_load(each.first, made) for each in shown]
    most = max((sent for load in loads for sent in load.sent.values()), default=0.0)
    left, right, bottom, top = bounds(list(made.places.values()))
    rows, columns = math.ceil(len(shown) / 2), min(2, len(shown))
    high = (WIDE / columns) * (top - bottom) / (right - left)
    high = min(max(high, 1.1), 8.2 if len(shown) == 1 else 4.6)

    def paint(figure: "Figure") -> None:
        panels = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
        for axes in panels[len(shown) :]:
            axes.set_visible(False)
        for axes, each, load in zip(panels, shown, loads, strict=False):
            _lines(axes, made, load, most)
            _dots(axes, made, load, crowded=len(shown) > 1)
            axes.set_xlim(left, right)
            axes.set_ylim(bottom, top)
            axes.set_aspect("equal")
            axes.axis("off")
            if len(policies) > 1:
                axes.set_title(each.label, color=INK, fontweight="bold")
        below = f"{title}: seed {shown[0].first.seed}"
        below += f", under {shown[0].label}" if len(shown) == 1 else ""
        below += "; circles are devices, squares edges, diamonds clouds"
        head(
            figure,
            "Where jobs were computed, and what crossed the links",
            below,
            _legend(len(made.places), most),
        )

    words = f"{title}: a map of {len(layout.nodes)} nodes, coloured by how busy they were, and {len(made.lines)} links."
    return draw("map", words, (WIDE, 1.0 + rows * (high + (0.25 if len(policies) > 1 else 0))), paint)


def _load(run: RunFile, made: Network) -> _Load:
    busy_s: dict[str, float] = {}
    last_s = 0.0
    for line in samples(run):
        passed_s, last_s = line["at_s"] - last_s, line["at_s"]
        for name, values in line["nodes"].items():
            if "busy" in values:
                dot = made.dots[name]
                busy_s[dot] = busy_s.get(dot, 0.0) + passed_s * values["busy"] / made.counts[dot]
    sent: dict[Ends, float] = {}
    for hop in hops(run):
        for ends in made.route(hop["source"], hop["target"]):
            sent[ends] = sent.get(ends, 0.0) + hop["bytes"]
    return _Load({dot: seconds / (last_s or 1.0) for dot, seconds in busy_s.items()}, sent)


def _lines(axes: "Axes", made: Network, load: _Load, most: float) -> None:
    """As few paths as there are widths, so that thousands of links stay small."""
    classes: dict[int, list[Ends]] = {}
    for line in made.lines:
        width = math.ceil(_CLASSES * load.sent.get(line, 0.0) / most) if most > 0 else 0
        classes.setdefault(width, []).append(line)
    for width, lines in sorted(classes.items()):
        xs, ys = list[float](), list[float]()
        for ends in lines:
            xs += [*(made.places[end][0] for end in ends), math.nan]
            ys += [*(made.places[end][1] for end in ends), math.nan]
        thick = 0.5 if width == 0 else _thick(width / _CLASSES, len(made.places))
        axes.plot(
            xs,
            ys,
            color=_LOAD if width else _LINE,
            linewidth=thick,
            zorder=1 + width / 100,
            solid_capstyle="round",
        )


def _dots(axes: "Axes", made: Network, load: _Load, *, crowded: bool) -> None:
    total = len(made.places)
    scale = 1.0 if total <= _FEW else 0.7 if total <= _ONE_PANEL else 0.38
    for tier, marker in _MARKERS.items():
        names = [name for name, each in made.tiers.items() if each is tier]
        for index, (_, colour, _) in enumerate(_BUSY):
            of_class = [name for name in names if _class(load.busy.get(name, 0.0)) == index]
            xs, ys = ([made.places[name][axis] for name in of_class] for axis in (0, 1))
            size = scale * (10 if tier is Tier.DEVICE else 12)
            if tier is not Tier.DEVICE and total > _ONE_PANEL:
                size *= 1.6
            axes.plot(
                xs,
                ys,
                marker,
                markersize=size,
                color=colour,
                markeredgecolor=INK,
                markeredgewidth=0.35 + 0.5 * scale,
                linestyle="none",
                zorder=3,
            )
        many = len(names) > _NAMED and max(made.counts.values()) == 1
        if tier is not Tier.DEVICE or not many:
            for name in names:
                _name(axes, made, name, size, small=crowded or total > _ONE_PANEL)


def _name(axes: "Axes", made: Network, dot: str, size: float, *, small: bool) -> None:
    """Left of a device, since there may be others below it, and below all else."""
    device = made.tiers[dot] is Tier.DEVICE
    axes.annotate(
        label(label_of(dot, made.counts)),
        made.places[dot],
        (-4 - size / 2, 0) if device else (0, -5 - size / 2),
        textcoords="offset points",
        ha="right" if device else "center",
        va="center" if device else "top",
        fontsize=7.5 if small else 8.5,
        color=MUTED if device else INK,
        zorder=4,
        bbox={"facecolor": PAGE, "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
    )


def _class(busy: float) -> int:
    return max(index for index, (least, _, _) in enumerate(_BUSY) if busy >= least)


def _thick(share: float, dots: int) -> float:
    widest = next(points for most, points in _WIDEST if dots <= most)
    return _THINNEST + (widest - _THINNEST) * share


def _legend(dots: int, most: float) -> "list[Artist]":
    from matplotlib.lines import Line2D

    found: list[Artist] = [
        Line2D(
            [],
            [],
            marker="o",
            markersize=8,
            color=colour,
            markeredgecolor=INK,
            markeredgewidth=0.8,
            linestyle="none",
            label=words,
        )
        for _, colour, words in _BUSY
    ]
    if most > 0:
        for share in (0.1, 1.0):
            words = f"{most * share / 1e6:.2g} MB"
            found.append(Line2D([], [], color=_LOAD, linewidth=_thick(share, dots), label=words))
    found.append(Line2D([], [], color=_LINE, linewidth=0.9, label="nothing"))
    return found
