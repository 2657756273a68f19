"""A sweep as a table, as JSON and as CSV: a row for each point and policy."""

import csv
import math
from collections.abc import Sequence
from io import StringIO
from typing import Final

from eapg_split.cli.simulated.table import WIDE
from eapg_split.cli.tables import add_columns, cell, console
from simulations.results import Figures, plain
from simulations.settings import shown
from simulations.sweeps import Row, Sweep

_FIGURES: Final = ("latency_p50_s", "latency_p95_s", "energy_j", "money", "missed", "switches")


def size(sweep: Sweep) -> str:
    """What is about to be done."""
    parts = [f"{sweep.count} points", f"{len(sweep.policies)} policies", f"{len(sweep.seeds)} seeds"]
    return f"{', '.join(parts)}: {sweep.runs} runs."


def show_table(sweep: Sweep, rows: Sequence[Row]) -> None:
    """Means over the seeds and half the widths of their 95 % intervals."""
    from rich.table import Table

    table = Table(
        title=f"{sweep.scenario.title}: mean of {len(sweep.seeds)} seeds ± half of the 95 % interval"
    )
    for parameter in sweep.parameters:
        table.add_column(parameter.path, overflow="fold")
    table.add_column("policy", no_wrap=True)
    add_columns(table, _FIGURES)
    for number, row in enumerate(rows):
        values = [shown(setting.value) for setting in row.settings]
        figures = [cell(name, row.figures[name]) for name in _FIGURES]
        last = (number + 1) % len(sweep.policies) == 0
        table.add_row(*values, row.policy, *figures, end_section=last and len(sweep.policies) > 1)
    console(WIDE).print(table)


def document(sweep: Sweep, rows: Sequence[Row]) -> dict[str, object]:
    """For programs."""
    return {
        "scenario": sweep.scenario.name,
        "title": sweep.scenario.title,
        "parameters": [{"path": each.path, "values": list(each.values)} for each in sweep.parameters],
        "policies": list(sweep.policies),
        "seeds": list(sweep.seeds),
        "rows": [
            {
                "settings": {setting.path: setting.value for setting in row.settings},
                "policy": row.policy,
                "figures": plain(row.figures),
            }
            for row in rows
        ],
    }


def as_csv(sweep: Sweep, rows: Sequence[Row]) -> str:
    """For spreadsheets: of each figure its mean, and half its interval as FIGURE_half; empty where nothing shows it."""
    names = list(Figures.__dataclass_fields__)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    both = [column for name in names for column in (name, f"{name}_half")]
    writer.writerow([*(each.path for each in sweep.parameters), "policy", *both])
    for row in rows:
        values = [value for name in names for value in (row.figures[name].mean, row.figures[name].half)]
        cells = ["" if math.isnan(value) else repr(value) for value in values]
        writer.writerow([*(shown(setting.value) for setting in row.settings), row.policy, *cells])
    return text.getvalue()
