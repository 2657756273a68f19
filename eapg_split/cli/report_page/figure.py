"""Draws with matplotlib and gives inline SVG that takes its ink from the page, light or dark."""

import io
import re
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from eapg_split.cli.report_page.markup import Markup, plain, scrolling, tag, text
from eapg_split.errors import Unsupported

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

# Colours that stand for the page's own: the style sheet says what they are in the light and in the dark.
INK: Final = "#010203"
MUTED: Final = "#040506"
LINE: Final = "#070809"
_ROLES: Final = {INK: "var(--ink)", MUTED: "var(--muted)", LINE: "var(--line)"}
_DPI: Final = 72  # of SVG, so that what is laid out is what is written
_LABEL: Final = 32  # characters of a label
_MOST_ENTRIES: Final = 24  # of a legend

_SETTINGS: "Final[dict[RcKeyType, object]]" = {
    "font.size": 9.5,
    "svg.fonttype": "none",  # text stays text: the browser has the fonts, and readers find it
    "text.parse_math": False,  # a dollar sign in a node's name is a dollar sign
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "axes.titlecolor": MUTED,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0,
}


def check_plots(what: str = "The report") -> None:
    """Raises Unsupported where matplotlib is not installed; `what` is what needs it."""
    if find_spec("matplotlib") is None:
        raise Unsupported(f'{what} draws with matplotlib: install it with pip install "eapg-split[plots]".')


def draw(name: str, alt: str, size: tuple[float, float], paint: Callable[["Figure"], None]) -> Markup:
    """A figure of `size` inches that `paint` fills, in a box that scrolls; `alt` says what is to be seen."""
    return scrolling(_inline(drawn(name, size, paint), alt), f"Chart: {name}")


def drawn(name: str, size: tuple[float, float], paint: Callable[["Figure"], None]) -> str:
    """The same figure as an SVG document whose ink is still INK, MUTED and LINE. The same twice for the same name."""
    import matplotlib
    from matplotlib.figure import Figure

    stream = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of characters that matplotlib's own font lacks and the browser's has
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        matplotlib.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=size, layout="constrained", dpi=_DPI)
        paint(figure)
        _settle(figure)
        figure.savefig(
            stream,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return stream.getvalue()


def _settle(figure: "Figure") -> None:
    """Lays the figure out and rounds that: the last bits of its solver differ from time to time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(each, 6) for each in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height), which="original")


def label(value: object) -> str:
    """A string of the log as a label of a figure."""
    return plain(value, _LABEL)


def clean_axes(axes: "Axes") -> None:
    """A grid for reading values along x, and nothing else around the data."""
    axes.grid(visible=True, axis="x")
    axes.margins(y=0.08)


def legend(entries: list[tuple[str, str]]) -> Markup:
    """Colours and what they mean, as text that wraps."""
    items = (
        tag("li", tag("i", attributes={"style": f"background:{colour}"}), text(words, _LABEL))
        for colour, words in entries[:_MOST_ENTRIES]
    )
    return tag("ul", *items, attributes={"class": "legend"})


def _inline(svg: str, alt: str) -> Markup:
    """An SVG document as part of a page: no prolog, no identifiers that another figure may have, the page's ink."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    for colour, role in _ROLES.items():
        svg = svg.replace(colour, role)
    head = tag("svg", attributes={"role": "img", "aria-label": plain(alt)}).removesuffix("></svg>")
    return Markup(svg.replace("<svg", head, 1))
