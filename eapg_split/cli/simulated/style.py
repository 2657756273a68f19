"""What the pictures of a simulation have in common: a policy has one colour and one dash in all of them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eapg_split.cli.planning.svg import picture
from eapg_split.cli.report_page.figure import LINE, MUTED, label
from eapg_split.cli.report_page.palette import POLICIES
from eapg_split.planner import is_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WIDE: Final = 9.6  # inches
_DASHES: Final = ((0, ()), (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (6, 1.4, 1.4, 1.4)))
_COORDINATES: Final = re.compile(r' (?:d|x|y|points|transform)="[^"]*"')
_LONG: Final = re.compile(r"(\.\d\d)\d+")
_MINUTES: Final = 300.0  # seconds from which an axis is in minutes
_HOURS: Final = 4 * 3600.0


def draw(name: str, title: str, size: tuple[float, float], paint: Callable[["Figure"], None]) -> str:
    """An SVG document on white, with coordinates to a hundredth of a point."""
    svg = picture(name, title, size, paint, dark=False)
    return _COORDINATES.sub(lambda found: _LONG.sub(r"\1", found[0]), svg)


def policy_label(name: str) -> str:
    """What pictures call a policy: of a file only its name."""
    return label(Path(name).stem if is_path(name) else name)


def colour(number: int) -> str:
    """Of the policy of that number."""
    return POLICIES[number % len(POLICIES)]


def line_style(number: int) -> dict[str, Any]:
    """Of the policy of that number: its colour, and a dash so that lines that lie on each other are seen."""
    dash = _DASHES[(number + number // len(POLICIES)) % len(_DASHES)]  # another where colours begin again
    return {"color": colour(number), "linestyle": dash, "linewidth": 1.9}


def entries(labels: Sequence[str]) -> list["Line2D"]:
    """Policies for a legend."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], label=words, **line_style(number)) for number, words in enumerate(labels)]


def time_axis(axes: "Axes", until_s: float) -> float:
    """Labels the x axis in seconds, minutes or hours; returns what seconds are to be divided by."""
    from matplotlib.ticker import MaxNLocator

    unit, divisor = "seconds", 1.0
    if until_s >= _HOURS:
        unit, divisor = "hours", 3600.0
    elif until_s >= _MINUTES:
        unit, divisor = "minutes", 60.0
    axes.set_xlabel(f"{unit} of simulated time")
    axes.set_xlim(0, until_s / divisor)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 3, 5, 6, 10], integer=until_s > 5))
    return divisor


def grid(axes: "Axes") -> None:
    """Lines for reading values."""
    axes.grid(visible=True, color=LINE)
    axes.tick_params(colors=MUTED)
