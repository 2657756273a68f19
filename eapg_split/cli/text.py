"""Plain text for people: aligned tables, sizes, durations, what a class is for."""

import inspect
from collections.abc import Sequence
from unicodedata import east_asian_width


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; a column whose cells all start with a digit is aligned to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(map(_columns, column)) for column in zip(*cells, strict=True)]
    right = [bool(rows) and all(cell[:1].isdigit() for cell in column) for column in zip(*rows, strict=True)]
    right = right or [False] * len(widths)
    lines = []
    for row in cells:
        padded = [
            " " * (width - _columns(cell)) + cell if to_right else cell + " " * (width - _columns(cell))
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def size(count: int) -> str:
    """Bytes in decimal units, three digits: 812 B, 4.1 kB, 12.9 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(seconds: float) -> str:
    """12 ms, 3.4 s, 2 min 05 s."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def printable(words: str) -> str:
    """Without what could move a terminal's cursor or colour what follows: words of other nodes may be anything."""
    if words.isprintable():
        return words
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in words
    )


def purpose(kind: type) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(kind) or "").split("\n")[0]


def _columns(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
