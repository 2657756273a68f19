"""The table of what each policy makes of a scenario."""

import math
from collections.abc import Sequence
from typing import Final

from simulations.results import Interval, intervals
from simulations.scenario import Scenario
from simulations.tasks import Replication

WIDE: Final = 170
_COLUMNS: Final = (
    ("p50 s", "latency_p50_s", 1.0),
    ("p95 s", "latency_p95_s", 1.0),
    ("p99 s", "latency_p99_s", 1.0),
    ("J a job", "energy_j", 1.0),
    ("money", "money", 1.0),
    ("MB sent", "sent_mb", 1.0),
    ("missed %", "missed", 100.0),
    ("battery %", "battery_left", 100.0),
    ("fairness", "fairness", 1.0),
    ("switches", "switches", 1.0),
)


def show_table(scenario: Scenario, policies: Sequence[str], runs: Sequence[Replication]) -> None:
    """A row for each policy: means over the runs and the half widths of their 95 % intervals."""
    from rich.console import Console
    from rich.table import Table

    seeds = len({run.seed for run in runs})
    table = Table(title=f"{scenario.title}: {seeds} runs of each policy, mean ± half of the 95 % interval")
    table.add_column("policy", no_wrap=True)
    for title, _, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for name in policies:
        found = intervals([run.figures for run in runs if run.policy == name])
        table.add_row(name, *(cell(found[key], factor) for _, key, factor in _COLUMNS))
    console = Console()
    if not console.is_terminal:
        console.width = WIDE  # a file has room
    console.print(table)
    left = sum(run.figures.open for run in runs)
    if left:
        console.print(f"{left:.0f} jobs were not done when their run ended: no figure of theirs is above.")


def cell(value: Interval, factor: float) -> str:
    """A mean and half the width of its interval, in three digits and two; - where nothing shows it."""
    if math.isnan(value.mean):
        return "-"
    mean = f"{value.mean * factor:.3g}"
    return mean if math.isnan(value.half) or value.half < 1e-9 else f"{mean} ± {value.half * factor:.2g}"
