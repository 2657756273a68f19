"""The planner's figures: how fast it plans, what its policies make of traces, and what it does to real jobs.

    python benchmarks/planner.py [--only speed|replay|live] [--traces DIR] [--quick] [--json FILE]

Recorded traces are read from --traces where they are there (see docs/benchmarks.md for where to get them); synthetic
ones with the same statistics always. With --quick there are few jobs and few settings. Exit code 1 if a bar is missed.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import planner_live
import planner_replay
import planner_speed
from figures import Row, show, write

_TRACES: Final = Path(__file__).resolve().parents[2] / "shared" / "traces"


def main() -> int:
    """Measures, prints, writes; 0 when every bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("speed", "replay", "live"))
    parser.add_argument("--traces", type=Path, default=_TRACES, metavar="DIR")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    rows = []
    for row in _rows(flags.only, flags.traces if flags.traces.is_dir() else None, quick=flags.quick):
        rows.append(row)
        print(show(row), flush=True)
        write(rows, flags.json)  # each time: a run that is broken off has not been for nothing
    return 0 if all(row.holds for row in rows) else 1


def _rows(only: str | None, folder: Path | None, *, quick: bool) -> Iterator[Row]:
    if only in (None, "speed"):
        yield from planner_speed.measure(quick=quick, say=_say)
    if only in (None, "replay"):
        yield from planner_replay.measure(folder, quick=quick, say=_say)
    if only in (None, "live"):
        yield from planner_live.measure(quick=quick, say=_say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
