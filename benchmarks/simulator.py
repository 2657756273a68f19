"""The simulator's figures: how fast it is beside SimPy and salabim, and how near it comes to theory.

    python benchmarks/simulator.py [--only speed|planned|scale|theory] [--quick] [--json FILE]

SimPy and salabim run in environments of their own, which the first run builds; with --quick they are left out where
they are missing, and everything is smaller. Exit code 1 if a bar is missed.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import simulator_planned
import simulator_speed
import simulator_theory
from figures import Row, show, write


def main() -> int:
    """Measures, prints, writes; 0 when every bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("speed", "planned", "scale", "theory"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    rows = []
    for row in _rows(flags.only, quick=flags.quick):
        rows.append(row)
        print(show(row), flush=True)
        write(rows, flags.json)  # each time: a run that is broken off has not been for nothing
    return 0 if all(row.holds for row in rows) else 1


def _rows(only: str | None, *, quick: bool) -> Iterator[Row]:
    if only in (None, "theory"):
        yield from simulator_theory.measure(quick=quick)
    if only in (None, "speed"):
        yield from simulator_speed.beside_others(quick=quick)
    if only in (None, "planned"):
        yield from simulator_planned.planned(quick=quick)
    if only in (None, "scale"):
        yield from simulator_speed.scale(quick=quick)


if __name__ == "__main__":
    sys.exit(main())
