"""The table of what each policy makes of a scenario."""

from collections.abc import Sequence
from typing import Final

from eapg_split.cli.tables import COLUMNS, add_columns, cell, console
from simulations.results import intervals
from simulations.scenario import Scenario
from simulations.tasks import Replication

WIDE: Final = 170


def show_table(scenario: Scenario, policies: Sequence[str], runs: Sequence[Replication]) -> None:
    """A row for each policy: means over the runs and the half widths of their 95 % intervals."""
    from rich.table import Table

    seeds = len({run.seed for run in runs})
    table = Table(title=f"{scenario.title}: {seeds} runs of each policy, mean ± half of the 95 % interval")
    table.add_column("policy", no_wrap=True)
    add_columns(table, list(COLUMNS))
    for name in policies:
        found = intervals([run.figures for run in runs if run.policy == name])
        table.add_row(name, *(cell(key, found[key]) for key in COLUMNS))
    shown = console(WIDE)
    shown.print(table)
    left = sum(run.figures.open for run in runs)
    if left:
        shown.print(f"{left:.0f} jobs were not done when their run ended: no figure of theirs is above.")
