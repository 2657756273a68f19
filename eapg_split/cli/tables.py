"""Tables of figures: which columns stand for which figure of a simulation, and how wide a file may be."""

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from simulations.results import Interval

COLUMNS: Final = {
    "latency_p50_s": ("p50 s", 1.0),
    "latency_p95_s": ("p95 s", 1.0),
    "latency_p99_s": ("p99 s", 1.0),
    "energy_j": ("J a job", 1.0),
    "money": ("money", 1.0),
    "sent_mb": ("MB sent", 1.0),
    "missed": ("missed %", 100.0),
    "battery_left": ("battery %", 100.0),
    "fairness": ("fairness", 1.0),
    "switches": ("switches", 1.0),
}
"""A figure's title, and by what it is multiplied there."""


def add_columns(table: "Table", figures: "Sequence[str]") -> None:
    """One for each figure, to the right."""
    for name in figures:
        table.add_column(COLUMNS[name][0], justify="right", no_wrap=True)


def cell(name: str, value: "Interval") -> str:
    """A figure's mean and half the width of its interval, in three digits and two; - where nothing shows it."""
    if math.isnan(value.mean):
        return "-"
    factor = COLUMNS[name][1]
    mean = f"{value.mean * factor:.3g}"
    return mean if math.isnan(value.half) or value.half < 1e-9 else f"{mean} ± {value.half * factor:.2g}"


def console(columns: int) -> "Console":
    """Where tables are printed: a terminal as wide as it is, a file as wide as its tables need."""
    from rich.console import Console

    found = Console()
    if not found.is_terminal:
        found.width = columns
    return found
