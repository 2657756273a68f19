"""What faults cost: a killed node, a silent link, every fault at every phase, and half an hour of them.

    python benchmarks/faults.py [--quick] [--only kill silent matrix soak overhead crowd] [--json FILE]

The daemons are real and compute with the toy engine, whose steps take a tenth of a second. Dask and Ray run beside ours
in environments of their own under runs/peers/, which are built once. With --quick there are few repetitions, a part of
the matrix and a minute of soak. With --json the matrix is drawn beside FILE, as SVG. Exit code 1 if a bar is missed.
"""

import argparse
import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import faults_kill
import faults_matrix
import faults_picture
import faults_silent
import faults_soak
import observing
import overload
from figures import Row, show, write

from eapg_split.domain.request import Request
from eapg_split.errors import EapgError
from tests.faults.kinds import Cell, Fault, Phase, Target

SMALL: Final = Request(observing.PROMPT, seconds=1.0, fps=4, width=64, height=64)
_QUICK_MINUTES: Final = 0.5
_TURNS: Final = 9


@dataclass(frozen=True)
class Wish:
    """How much is wanted."""

    quick: bool
    repeats: int
    minutes: float
    lanes: int
    seed: int


def kill(wish: Wish) -> Iterator[Row]:
    """A node is killed inside a step, beside Dask and Ray."""
    times = 2 if wish.quick else wish.repeats
    yield from faults_kill.measure(times=times, build=not wish.quick, say=_say)


def silent(wish: Wish) -> Iterator[Row]:
    """A link or a node falls silent."""
    yield from _now(faults_silent.measure(times=1 if wish.quick else max(1, wish.repeats // 4), say=_say))


def matrix(wish: Wish) -> Iterator[Row]:
    """Every fault at every phase on every node; with --quick each fault once, at one phase after the other."""
    if not wish.quick:
        yield from _now(faults_matrix.measure(repeats=wish.repeats, lanes=wish.lanes, say=_say))
        return
    phases = itertools.cycle(Phase)
    chosen = [Cell(fault, next(phases), Target.EDGE) for fault in Fault]
    yield from _now(faults_matrix.measure(chosen, repeats=1, lanes=wish.lanes, say=_say))


def soak(wish: Wish) -> Iterator[Row]:
    """Random faults all the time."""
    minutes = _QUICK_MINUTES if wish.quick else wish.minutes
    yield from _now(faults_soak.measure(minutes=minutes, seed=wish.seed, say=_say))


def crowd(wish: Wish) -> Iterator[Row]:
    """More sessions at once than a node can take."""
    yield from asyncio.run(overload.rows(quick=wish.quick, say=_say))


def overhead(wish: Wish) -> Iterator[Row]:
    """What it costs to be safe and to watch; with --quick on a small clip, where fixed costs are most of it."""
    clip = "small clip" if wish.quick else "default clip"
    request = SMALL if wish.quick else Request(observing.PROMPT)
    turns = 2 if wish.quick else _TURNS
    for row in observing.rows_of(asyncio.run(observing.measured(request, turns, "onnx", 0)), clip):
        is_judged = not wish.quick or row.figure == observing.SAME_FRAMES
        yield row if is_judged else replace(row, bar="", holds=True)


SECTIONS: Final[Mapping[str, Callable[[Wish], Iterator[Row]]]] = {
    "kill": kill,
    "silent": silent,
    "matrix": matrix,
    "soak": soak,
    "crowd": crowd,
    "overhead": overhead,
}


def main() -> int:
    """Measures, prints, writes; 0 when every bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument(
        "--repeats", type=int, default=20, metavar="N", help="of each kill and each cell (20)"
    )
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="of soak (30)")
    parser.add_argument("--lanes", type=int, default=2, metavar="N", help="topologies at a time (2)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is random (0)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    wish = Wish(flags.quick, flags.repeats, flags.minutes, flags.lanes, flags.seed)
    rows = []
    for name in flags.only:
        for row in _rows(name, wish):
            rows.append(row)
            print(show(row), flush=True)
            write(rows, flags.json)  # each time: a run that is broken off has not been for nothing
    if flags.json is not None and "matrix" in flags.only:
        _draw(rows, flags.json.with_suffix(".svg"))
    return 0 if all(row.holds for row in rows) else 1


def _rows(name: str, wish: Wish) -> Iterator[Row]:
    """The rows of a section; where it fails, a row that says so takes the place of the rest."""
    try:
        yield from SECTIONS[name](wish)
    except (EapgError, OSError, TimeoutError, RuntimeError) as error:
        yield Row(f"section {name}", f"failed: {type(error).__name__}: {error}", {}, "measured", False)


def _draw(rows: list[Row], path: Path) -> None:
    try:
        path.write_text(faults_picture.drawing(rows), encoding="utf-8")
    except (EapgError, ValueError) as error:
        _say(f"The matrix is not drawn: {error}")


def _now(rows: AsyncIterator[Row]) -> list[Row]:
    async def collected() -> list[Row]:
        return [row async for row in rows]

    return asyncio.run(collected())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
