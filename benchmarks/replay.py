"""How true replays and fitted models are: real runs on real daemons, replayed, and foretold from other runs.

    python benchmarks/replay.py [--quick] [--json FILE] [--keep FOLDER | --logs FOLDER]

Nodes of given speeds wait instead of computing (`emulation.paced`), so that three of them fit on a small machine;
everything else is the product. Three things are asked of the logs: what the policy that ran would have taken, what
another policy would have taken (which then really ran), and what models fitted to the first round say of the second.
"""

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Final

from figures import Row, show, write
from replay_runs import QUICK, QUICK_POLICIES, SETTINGS, Setting, record

from eapg_split.cli.run_log.recorded import read_recorded
from simulations.calibrated import check
from simulations.calibration import calibrate
from simulations.recorded import RecordedRun
from simulations.replaying import replay

SAME_BAR, OTHER_BAR, FORETOLD_BAR, STEP_BAR = 0.10, 0.15, 0.10, 0.10
_SEEDS: Final = (1, 2, 3)
Runs = Mapping[str, Sequence[RecordedRun]]


def measure(settings: Iterable[Setting], folder: Path, *, quick: bool, kept: bool = False) -> list[Row]:
    """Rows of every setting, and of all together; the runs are recorded, unless they are `kept` in the folder."""
    rows, same, other, foretold = list[Row](), list[float](), list[float](), list[float]()
    steps, again = list[float](), list[float]()
    for number, setting in enumerate(settings):
        policies = QUICK_POLICIES if quick else setting.policies
        own = folder / f"setting{number}"
        if kept:
            logs = {policy: sorted(own.glob(f"{policy}-*.jsonl")) for policy in policies}
        else:
            logs = record(setting, own, policies, 1 if quick else 2, print)
        runs = {policy: [read_recorded(path) for path in paths] for policy, paths in logs.items()}
        found = _replayed(runs)
        same, other = same + found[0], other + found[1]
        if not quick:
            ahead, residuals = _foretold(runs)
            foretold, steps = foretold + ahead, steps + residuals
            again += [each[1].wall_s / each[0].wall_s - 1 for each in runs.values()]
        rows.append(_row(f"replay, {setting.name}: error under the policy that ran", found[0]))
        rows.append(_row(f"replay, {setting.name}: error under another policy", found[1]))
    rows.append(_row("replay, all: error under the policy that ran", same, SAME_BAR))
    rows.append(_row("replay, all: error under another policy, which then really ran", other, OTHER_BAR))
    if foretold:
        rows.append(_row("two real runs of one policy: the second over the first, less one", again))
        rows.append(_row("calibrate: error of foretold seconds, other runs", foretold, FORETOLD_BAR))
        rows.append(_row("calibrate: error of a step, by node and stage", steps, STEP_BAR))
    return rows


def _replayed(runs: Runs) -> tuple[list[float], list[float]]:
    """Errors of the policy that ran, and of each other one against what it really took in that setting."""
    real_s = {policy: fmean(run.wall_s for run in each) for policy, each in runs.items()}
    same, other = list[float](), list[float]()
    for each in runs.values():
        for run in each:
            found = replay(run, runs, _SEEDS)
            for policy, courses in found.courses.items():
                seconds = fmean(course.seconds for course in courses)
                if policy == run.policy:
                    same.append(seconds / run.wall_s - 1)
                else:
                    other.append(seconds / real_s[policy] - 1)
    return same, other


def _foretold(runs: Runs) -> tuple[list[float], list[float]]:
    """Errors of the second round by models of the first, and the median errors of their steps."""
    found = calibrate([each[0] for each in runs.values()])
    checked = check(found, [run for each in runs.values() for run in each[1:]])
    return [each.error for each in checked], [
        residual.median for residual in found.residuals if " on " in residual.what
    ]


def _row(figure: str, errors: Sequence[float], bar: float | None = None) -> Row:
    absolute = [abs(error) for error in errors]
    middle = median(absolute)
    beside = {"largest": round(max(absolute), 3), "of": len(absolute)}
    if bar is None:
        return Row(f"{figure}, median", round(middle, 4), beside)
    return Row(f"{figure}, median", round(middle, 4), beside, f"<= {bar}", middle <= bar)


def main() -> None:
    """Prints the rows; ends with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one setting, two policies, once")
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--keep", type=Path, help="keep the logs there: a folder that is not there yet")
    parser.add_argument(
        "--logs", type=Path, help="take the logs that were kept there instead of running anything"
    )
    flags = parser.parse_args()
    settings = [setting for setting in SETTINGS if not flags.quick or setting.name in QUICK]
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        where = flags.logs or flags.keep or Path(folder)
        rows = measure(settings, where, quick=flags.quick, kept=flags.logs is not None)
    for row in rows:
        print(show(row))
    write(rows, flags.json)
    if not all(row.holds for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
