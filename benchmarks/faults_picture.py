"""Draws the matrix of faults from the rows that benchmarks/faults.py wrote: who was struck how and when, and what came.

    python benchmarks/faults.py --only matrix --json runs/faults.json          # draws runs/faults.svg too
    python benchmarks/faults_picture.py runs/faults.json -o docs/images/faults.svg

Of several files the trials are added. Needs the extra "plots".
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from faults_matrix import FIGURE
from figures import Row

from eapg_split.cli.planning.svg import head, ink_on, picture
from eapg_split.cli.report_page.figure import LINE, MUTED, check_plots
from eapg_split.errors import EapgError
from tests.faults.kinds import Fault, Phase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE: Final = (8.6, 4.9)
_SHADES: Final = (
    (1.0, "#3fa35f", "all jobs ended right"),
    (0.9, "#98a52d", "nine in ten or more"),
    (0.5, "#e3a008", "half or more"),
    (0.0, "#d9480f", "fewer"),
)
_CELL: Final = re.compile(r"(\d+) of (\d+)(?: in ([0-9.]+) s)?")


@dataclass(frozen=True)
class Seen:
    """What came of one fault at one phase: trials that ended right, all trials, and the job's median seconds."""

    right: int
    trials: int
    seconds: float | None

    @property
    def colour(self) -> str:
        """By the share that ended right."""
        return next(colour for share, colour, _ in _SHADES if self.right >= share * self.trials)

    @property
    def words(self) -> str:
        """What stands in the cell."""
        share = "" if self.right == self.trials else f"{self.right} of {self.trials}"
        seconds = "" if self.seconds is None else f"{self.seconds:.1f} s"
        return "\n".join(filter(None, (seconds, share))) or f"{self.right} of {self.trials}"


def matrix_of(rows: Iterable[Row]) -> dict[tuple[Fault, Phase], Seen]:
    """The cells that the rows tell of. Raises ValueError for rows without a matrix."""
    found: dict[tuple[Fault, Phase], list[Seen]] = defaultdict(list)
    for row in rows:
        fault = next((each for each in Fault if row.figure == FIGURE.format(fault=each)), None)
        for phase, text in row.beside.items() if fault is not None else ():
            cell = _CELL.fullmatch(str(text))
            if fault is None or cell is None or phase not in set(Phase):
                raise ValueError(f"{row.figure!r} has no cell {phase!r} with {text!r}")
            seconds = None if cell[3] is None else float(cell[3])
            found[fault, Phase(phase)].append(Seen(int(cell[1]), int(cell[2]), seconds))
    if not found:
        raise ValueError("there is no matrix in these rows: run benchmarks/faults.py --only matrix")
    return {place: _together(some) for place, some in found.items()}


def drawing(rows: Iterable[Row]) -> str:
    """The SVG document. Raises ValueError for rows without a matrix, and Unsupported without the extra "plots"."""
    check_plots("The matrix of faults")
    cells = matrix_of(rows)
    trials, right = (
        sum(each.trials for each in cells.values()),
        sum(each.right for each in cells.values()),
    )
    words = f"Faults at phases of a job: {right} of {trials} jobs ended right and left nothing behind"
    return picture("faults", words, _SIZE, lambda figure: _paint(figure, cells, words))


def _together(some: Sequence[Seen]) -> Seen:
    known = [each.seconds for each in some if each.seconds is not None]
    return Seen(
        sum(each.right for each in some),
        sum(each.trials for each in some),
        median(known) if known else None,
    )


def _paint(figure: "Figure", cells: Mapping[tuple[Fault, Phase], Seen], words: str) -> None:
    from matplotlib.patches import Patch, Rectangle

    axes = figure.subplots()
    faults = [each for each in Fault if any(each is fault for fault, _ in cells)]
    for (fault, phase), seen in cells.items():
        at = list(Phase).index(phase), faults.index(fault)
        axes.add_patch(Rectangle((at[0] + 0.03, at[1] + 0.05), 0.94, 0.9, color=seen.colour, linewidth=0))
        axes.text(
            at[0] + 0.5,
            at[1] + 0.5,
            seen.words,
            ha="center",
            va="center",
            fontsize=8,
            color=ink_on(seen.colour),
        )
    axes.set(xlim=(0, len(Phase)), ylim=(len(faults), 0))
    axes.set_xticks([at + 0.5 for at in range(len(Phase))], [str(phase) for phase in Phase])
    axes.set_yticks([at + 0.5 for at in range(len(faults))], [str(fault) for fault in faults])
    axes.tick_params(length=0, labelcolor=MUTED)
    axes.xaxis.tick_top()
    for spine in axes.spines.values():
        spine.set_color(LINE)
        spine.set_visible(False)
    below = "In each cell the median seconds of the job, the fault and all that came of it included"
    if not any(seen.seconds for seen in cells.values()):
        below = "In each cell how many did"
    head(figure, words, below, [Patch(color=colour, label=label) for _, colour, label in _SHADES])


def main() -> int:
    """Writes the picture; 2 for files that are no rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, nargs="+", metavar="FILE.json")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.svg")
    options = parser.parse_args()
    try:
        rows = [Row(**row) for path in options.rows for row in json.loads(path.read_bytes())]
        options.output.write_text(drawing(rows), encoding="utf-8")
    except (OSError, ValueError, TypeError, EapgError) as error:
        print(f"{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
