"""What emulations gave, beside what simulations of the same gave: as a table and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table

from eapg_split.cli.tables import add_columns, cell, console
from simulations.results import Figures, Interval, finite, intervals, plain
from simulations.scenario import Scenario

_FIGURES: Final = (
    "latency_p50_s", "latency_p95_s", "energy_j", "money", "sent_mb", "missed", "switches",
)  # fmt: skip
_WIDE: Final = 120


@dataclass(frozen=True)
class PolicyRuns:
    """One policy: a run for each seed, and what was simulated beside it."""

    policy: str
    emulated: list[Figures]
    simulated: list[Figures]

    def error(self, name: str) -> float:
        """Of what was simulated, as a share of what was emulated; NaN where that is nothing."""
        emulated, simulated = (intervals(runs)[name].mean for runs in (self.emulated, self.simulated))
        if emulated == simulated:
            return 0.0
        return simulated / emulated - 1 if emulated else math.nan


def document(scenario: Scenario, found: Sequence[PolicyRuns]) -> dict[str, object]:
    """The scenario, and of each policy the means of its runs."""
    policies = dict[str, object]()
    for runs in found:
        told: dict[str, object] = {"emulated": plain(intervals(runs.emulated))}
        if runs.simulated:
            told["simulated"] = plain(intervals(runs.simulated))
            told["error"] = finite({name: runs.error(name) for name in _FIGURES})
        policies[runs.policy] = told
    return {"scenario": scenario.name, "title": scenario.title, "policies": policies}


def show(scenario: Scenario, found: Sequence[PolicyRuns]) -> None:
    """A row for each policy, or three where there are simulations beside."""
    table = Table(title=f"{scenario.title}: real daemons, means over {len(found[0].emulated)} runs")
    for title in ("policy", ""):
        table.add_column(title, no_wrap=True)
    add_columns(table, _FIGURES)
    for runs in found:
        if not runs.simulated:
            table.add_row(runs.policy, "", *_cells(runs.emulated))
            continue
        table.add_row(runs.policy, "emulated", *_cells(runs.emulated))
        table.add_row("", "simulated", *_cells(runs.simulated))
        errors = [runs.error(name) for name in _FIGURES]
        table.add_row(
            "", "error", *("-" if math.isnan(error) else f"{100 * error:+.1f} %" for error in errors)
        )
    shown = console(_WIDE)
    shown.print(table)
    left = sum(figures.open for runs in found for figures in runs.emulated)
    if left:
        shown.print(f"{left:.0f} jobs were not done when their run ended: no figure of theirs is above.")


def _cells(runs: Sequence[Figures]) -> list[str]:
    """The means alone: few runs show no interval."""
    means = intervals(runs)
    return [cell(name, Interval(means[name].mean, math.nan)) for name in _FIGURES]
