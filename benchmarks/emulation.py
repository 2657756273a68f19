"""What the simulator says beside real daemons behind shaped links, in real time: how far off it is.

    python benchmarks/emulation.py [--only SETTING] [--quick] [--json FILE]

Each setting is a scenario whose jobs are emulated and simulated with the same draws. Nodes wait instead of computing,
so that several of them fit on a small machine, which should have nothing else to do. Ten minutes; with --quick a few
settings. Exit code 1 if a bar is missed.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from emulation_settings import SETTINGS, Setting
from figures import Row, show, write

from eapg_split.emulation.bounds import emulatable
from eapg_split.emulation.emulating import emulate
from eapg_split.emulation.networks import NetworkKind
from eapg_split.planner import resolve
from simulations.building import build
from simulations.outcomes import Outcome
from simulations.results import figures
from simulations.scenario import parse_scenario
from simulations.simulation import Run, simulate

BAR: Final = 0.10
_SEED: Final = 1


def main() -> int:
    """Measures, prints, writes; 0 when every bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="SETTING", help="those whose name has this in it")
    parser.add_argument("--network", type=NetworkKind, default=NetworkKind.USER, help="user or namespaces")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    chosen = [each for each in SETTINGS if (not flags.only or flags.only in each.name)]
    rows = []
    for row in measure([each for each in chosen if each.quick or not flags.quick], flags.network):
        rows.append(row)
        print(show(row), flush=True)
        write(rows, flags.json)  # each time: a run that is broken off has not been for nothing
    return 0 if all(row.holds for row in rows) else 1


def measure(settings: list[Setting], network: NetworkKind) -> Iterator[Row]:
    """A row for each setting, and one for each of the worst and the median."""
    errors = []
    for setting in settings:
        row, error = _compared(setting, network)
        errors.append(error)
        yield row
    for label, error in (("worst", max(errors)), ("median", median(errors))):
        figure = f"simulated against emulated, {network}: {label} p95 error of {len(errors)} settings"
        yield Row(figure, round(error, 3), {}, f"<= {BAR}", error <= BAR)


def _compared(setting: Setting, network: NetworkKind) -> tuple[Row, float]:
    with tempfile.TemporaryDirectory(prefix="emulation-") as folder:
        path = Path(folder) / "setting.toml"
        for name, text in setting.files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        scenario = parse_scenario(path, setting.text)
        setup, _ = emulatable(build(scenario, _SEED))
    policy = setting.policy
    real = asyncio.run(emulate(setup, policy, seed=_SEED, until_s=scenario.until_s, network=network))
    virtual = simulate(setup, (policy, partial(resolve, policy)), seed=_SEED, until_s=scenario.until_s)
    for ours, theirs in zip(virtual.outcomes, real.outcomes, strict=True):
        print(f"  {theirs.device}: {_told(ours)}, emulated {_told(theirs)}", file=sys.stderr)
    return _row(setting, network, virtual, real)


def _told(job: Outcome) -> str:
    where = "-".join(job.nodes)
    return f"{job.latency_s:.2f} s {job.end} {where} {job.sent_bytes / 1e3:.0f} kB {job.why}".strip()


def _row(setting: Setting, network: NetworkKind, virtual: Run, real: Run) -> tuple[Row, float]:
    ours, theirs = figures(virtual), figures(real)
    error = _error(ours.latency_p95_s, theirs.latency_p95_s)
    beside: dict[str, float | str] = {
        "simulated p95, s": round(ours.latency_p95_s, 2),
        "emulated p95, s": round(theirs.latency_p95_s, 2),
        "p50 error": round(_error(ours.latency_p50_s, theirs.latency_p50_s), 3),
        "simulated p50, s": round(ours.latency_p50_s, 2),
        "emulated p50, s": round(theirs.latency_p50_s, 2),
        "jobs": len(real.outcomes),
    }
    figure = f"simulated against emulated, {network}, {setting.name} ({setting.policy}): p95 error"
    return Row(figure, round(error, 3), beside, f"<= {BAR}", error <= BAR), error


def _error(ours: float, theirs: float) -> float:
    """How far the simulator is off, as a share of what was measured; infinite where a job never ended."""
    return abs(ours / theirs - 1) if theirs == theirs and ours == ours else float("inf")


if __name__ == "__main__":
    sys.exit(main())
