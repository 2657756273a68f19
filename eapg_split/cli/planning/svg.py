"""Pictures that stand alone: SVG with its own background, light, and dark where the reader's screen is."""

import html
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.made import MadePlan
from eapg_split.cli.report_page.figure import INK, LINE, MUTED, drawn
from eapg_split.cli.report_page.palette import NODES
from eapg_split.domain.topology import Topology

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

PAGE: Final = "#0a0b0c"  # stands for the background, as INK, MUTED and LINE stand for theirs
# Those of the report page: light, dark. Colours are written out for programs that know no style sheets.
_INKS: Final = {
    PAGE: ("#fcfcfb", "#14171a"),
    INK: ("#1d2126", "#e4e7ea"),
    MUTED: ("#616a75", "#98a2ad"),
    LINE: ("#dfe2e6", "#31373e"),
}
_HEAD: Final = 0.8  # inches, as all below
_LEGEND_ROW: Final = 0.18
_ENTRY: Final = 0.42  # of a legend, besides its words
_LETTER: Final = 0.06
_ON_LIGHT: Final = "#14171a"
_ON_DARK: Final = "#ffffff"


def picture(
    name: str,
    title: str,
    size: tuple[float, float],
    paint: Callable[["Figure"], None],
    *,
    dark: bool = True,
) -> str:
    """An SVG document of `size` inches; `title` is what is read out to those who cannot see it.

    Without `dark` it is light on every screen.
    """
    svg = drawn(name, size, paint)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg ") :], flags=re.DOTALL)
    for role, (light, _) in _INKS.items():
        svg = svg.replace(role, light)
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in _INKS.values()
        for what in ("fill", "stroke")
    )
    head, end, body = svg.partition(">")
    page = f'<rect width="100%" height="100%" style="fill: {_INKS[PAGE][0]}"/>'
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>" if dark else ""
    words = f"<title>{html.escape(title)}</title>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head} role="img"{end}\n{words}\n{style}\n{page}{body}'


def head(figure: "Figure", title: str, below: str, entries: "Sequence[Artist]") -> None:
    """A title, a smaller line, and a legend at the top of a figure, which keeps the room for them."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    width, height = figure.get_size_inches()
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    needed = sum(_ENTRY + _LETTER * len(str(entry.get_label())) for entry in entries)
    rows = max(1, math.ceil(needed / (width - 0.3)))
    room = _HEAD + 0.1 + _LEGEND_ROW * (rows - 1)
    engine.set(rect=(0.06 / width, 0.06 / height, 1 - 0.18 / width, 1 - room / height))
    for words, at, size, colour in ((title, 0.3, 12.5, INK), (below, 0.53, 9, MUTED)):
        text = figure.text(0.14 / width, 1 - at / height, words, fontsize=size, color=colour, va="baseline")
        text.set_in_layout(False)
    legend = figure.legend(
        handles=list(entries),
        loc="upper left",
        bbox_to_anchor=(0.14 / width, 1 - 0.58 / height),
        borderaxespad=0.0,
        borderpad=0.1,
        handlelength=1.3,
        handletextpad=0.5,
        columnspacing=1.4,
        ncols=max(1, math.ceil(len(entries) / rows)),
        frameon=False,
        fontsize=9,
    )
    legend.set_in_layout(False)


def node_colours(topology: Topology) -> dict[str, str]:
    """A colour for each node, in the order of the topology."""
    return {node.id: NODES[index % len(NODES)] for index, node in enumerate(topology.nodes)}


def clip(made: MadePlan) -> str:
    """What the plan is for, in one line."""
    request, objective = made.workload.request, made.view.objective
    words = f"{request.width}x{request.height}, {request.seconds:g} s at {request.fps} FPS, codec {objective.codec}"
    return f"{words}, privacy {objective.privacy}"


def ink_on(colour: str) -> str:
    """Black or white, whichever can be read on that colour."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _ON_LIGHT if 0.3 * red + 0.59 * green + 0.11 * blue > 0.52 else _ON_DARK
