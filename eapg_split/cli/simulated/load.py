"""`load.svg`: how busy the busiest nodes and media were over time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from eapg_split.cli.planning.svg import head
from eapg_split.cli.report_page.figure import INK, label
from eapg_split.cli.simulated.reading import PolicyRuns
from eapg_split.cli.simulated.sampled import Floats, Samples, read, until_s
from eapg_split.cli.simulated.style import WIDE, draw, entries, grid, line_style, time_axis
from eapg_split.domain.topology import Tier
from simulations.world import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST: Final = 3  # things side by side
_ROW: Final = 1.65  # inches
_SMOOTHED: Final = 40  # points of a line: shorter bursts are averaged


def load_picture(title: str, policies: Sequence[PolicyRuns], layout: Layout) -> str | None:
    """The SVG document: the busiest nodes that are no devices, and the busiest media; None where nothing was sent."""
    runs = [read(each.first) for each in policies]
    others = [spec.id for spec in layout.nodes if spec.tier is not Tier.DEVICE]
    nodes = _busiest(others, [run.values["busy"] for run in runs])
    media = _busiest(layout.media, [run.values["bits"] for run in runs])
    if not nodes and not media:
        return None
    columns = max(len(nodes), len(media))

    def paint(figure: "Figure") -> None:
        rows = [("busy", nodes, "busy %"), ("bits", media, "Mbit/s")]
        rows = [row for row in rows if row[1]]
        panels = figure.subplots(len(rows), columns, sharex=True, sharey="row", squeeze=False)
        for line, (key, names, words) in zip(panels, rows, strict=True):
            for axes, name in zip(line, names, strict=False):
                _load(axes, key, name, runs)
                axes.set_title(label(name), color=INK)
            for axes in line[len(names) :]:
                axes.set_visible(False)
            line[0].set_ylabel(words)
            line[0].set_ylim(bottom=0)
        for axes in panels[-1]:
            time_axis(axes, until_s(runs))
        head(
            figure,
            "Where work and traffic are",
            f"{title}: seed {policies[0].first.seed}; the busiest nodes and media, short bursts averaged",
            entries([each.label for each in policies]),
        )

    words = f"{title}: how busy {', '.join((*nodes, *media))} are over time, under each policy."
    return draw("load", words, (WIDE, 1.5 + _ROW * (bool(nodes) + bool(media))), paint)


def _load(axes: "Axes", key: str, name: str, runs: Sequence[Samples]) -> None:
    divisor = time_axis(axes, until_s(runs))
    axes.set_xlabel("")
    for number, run in enumerate(runs):
        series = run.values[key].get(name)
        if series is None:
            series = np.zeros(len(run.at_s))
        at_s, means = _means(run.at_s, series, per_s=key == "bits")
        factor = 100.0 if key == "busy" else 1e-6
        axes.step(at_s / divisor, factor * means, where="pre", **line_style(number))
    grid(axes)


def _means(at_s: Floats, series: Floats, *, per_s: bool) -> tuple[Floats, Floats]:
    """Averages over stretches of time: of shares that hold since the sample before, or of amounts since then."""
    passed = np.diff(at_s, prepend=0.0)
    amounts = np.cumsum(series if per_s else series * passed)
    edges = np.linspace(0, at_s[-1], min(_SMOOTHED, len(at_s)) + 1)
    totals = np.interp(edges, at_s, amounts)
    spans = np.maximum(np.diff(edges), 1e-9)
    means = np.diff(totals) / spans
    return edges, np.concatenate([means[:1], means])


def _busiest(names: Iterable[str], values: Sequence[Mapping[str, Floats]]) -> list[str]:
    """At most three, by all that they did under all policies, in the order in which they stand in the scenario."""
    totals = {name: sum(float(each[name].sum()) for each in values if name in each) for name in names}
    most = sorted((name for name in totals if totals[name] > 0), key=lambda name: -totals[name])[:_MOST]
    return [name for name in totals if name in most]
