"""What every benchmark ends in: rows of figures, printed as a table and written as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

Value = float | str


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours, what stands beside it by name, the bar ("" where none was set), and whether it holds."""

    figure: str
    ours: Value
    beside: Mapping[str, Value] = field(default_factory=dict)
    bar: str = ""
    holds: bool = True


def show(row: Row) -> str:
    """One line for people."""
    mark = "    " if not row.bar else "ok  " if row.holds else "MISS"
    beside = "".join(f"; {name} {_text(value)}" for name, value in row.beside.items())
    bar = f"; bar {row.bar}" if row.bar else ""
    return f"{mark} {row.figure}: {_text(row.ours)}{beside}{bar}"


def write(rows: Sequence[Row], path: Path | None) -> None:
    """Writes the rows as a JSON list where a path is given."""
    if path is not None:
        text = json.dumps([asdict(row) for row in rows], indent=1, default=_plain)
        path.write_text(text + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    """What numpy computed, as Python's own number or truth value."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in a row")


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
