"""Puts a benchmark's rows into its page below docs/: python benchmarks/fill_docs.py wire FILE.json

The table between `<!-- NAME -->` and `<!-- end NAME -->` is replaced.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
_PAGES: Final = {"emulation": "validation.md"}  # of those that stand elsewhere
_HEAD: Final = "| figure | ours | beside | bar | holds |\n|---|---|---|---|---|\n"


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows as Markdown; a bar that is not reached is printed bold."""
    return _HEAD + "".join(_line(row) for row in rows)


def filled(text: str, name: str, rows: Sequence[Mapping[str, object]]) -> str:
    """The page with the table of that name replaced. Raises ValueError where the page has no place for it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no place for {name!r}: put {begin.strip()} and {end} into it")
    return f"{before}{begin}\n{table(rows)}\n{end}{after}"


def _line(row: Mapping[str, object]) -> str:
    beside = row["beside"]
    assert isinstance(beside, dict)
    others = ", ".join(f"{name} {_text(value)}" for name, value in beside.items())
    holds = "" if not row["bar"] else "yes" if row["holds"] else "**no**"
    return f"| {row['figure']} | {_text(row['ours'])} | {others} | {row['bar']} | {holds} |\n"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "name",
        help="first_light, quality, wire, planner_speed, planner_replay, planner_live, simulator, replay,"
        " emulated_links, emulation, faults or checkpoints",
    )
    parser.add_argument(
        "rows",
        type=Path,
        nargs="+",
        help="what the benchmark wrote with --json; a later file's figures count",
    )
    options = parser.parse_args()
    try:
        rows = {row["figure"]: row for path in options.rows for row in json.loads(path.read_bytes())}
        path = DOCS.with_name(_PAGES.get(options.name, DOCS.name))
        page = filled(path.read_text(encoding="utf-8"), options.name, list(rows.values()))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    path.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
