"""`eapg-split emulate`: a small scenario with real daemons behind shaped links, in real time."""

import asyncio
import json
import math
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from eapg_split.cli.exits import guarded
from eapg_split.cli.out_folder import make_out, write_out

if TYPE_CHECKING:
    from eapg_split.emulation.emulating import Progress
    from eapg_split.emulation.networks import NetworkKind
    from simulations.results import Figures
    from simulations.scenario import Scenario
    from simulations.simulation import Run, Setup

_Scenario = Annotated[str, typer.Argument(help="A file, or one of those that 'simulate --list' names.")]
_Policy = Annotated[
    str, typer.Option(metavar="A,B", help="Policies, one after the other; without it the scenario's own.")
]
_Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="Runs of each policy.")]
_Jobs = Annotated[int, typer.Option(min=0, metavar="N", help="Jobs that arrive at most; 0 is no limit.")]
_Until = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Real time of each run; 0 takes the scenario's.")
]
_Network = Annotated[str, typer.Option(help="user, or namespaces (needs root).")]
_Engine = Annotated[
    str, typer.Option(help="paced waits as long as the scenario's nodes would; onnx computes.")
]
_Beside = Annotated[
    bool, typer.Option("--beside-simulation", help="Say what 'simulate' makes of it as well.")
]
_Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the jobs of every run and the summary go.")
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document: docs/emulation.md has its fields.")
]

_COLUMNS: Final = (
    ("p50 s", "latency_p50_s", 1.0),
    ("p95 s", "latency_p95_s", 1.0),
    ("J a job", "energy_j", 1.0),
    ("money", "money", 1.0),
    ("MB sent", "sent_mb", 1.0),
    ("missed %", "missed", 100.0),
    ("switches", "switches", 1.0),
)


@dataclass
class _Runs:
    """One policy: a run for each seed, and what was simulated beside it."""

    policy: str
    emulated: list["Figures"]
    simulated: list["Figures"]


def emulate(
    scenario: _Scenario,
    policy: _Policy = "",
    seeds: _Seeds = 1,
    jobs: _Jobs = 0,
    until: _Until = 0.0,
    network: _Network = "user",
    engine: _Engine = "paced",
    beside_simulation: _Beside = False,
    out: _Out = None,
    as_json: _Json = False,
) -> None:
    """Run a small SCENARIO with real daemons behind shaped links, in real time."""
    with guarded():
        from eapg_split.emulation import emulating
        from eapg_split.emulation.daemons import PACED
        from eapg_split.engines import KINDS
        from eapg_split.errors import InvalidRequest
        from eapg_split.planner import resolve
        from simulations.results import figures
        from simulations.scenario import read_scenario
        from simulations.simulation import simulate

        chosen = read_scenario(scenario)
        names = [name.strip() for name in policy.split(",") if name.strip()] or list(chosen.policies)
        for name in names:
            resolve(name)
        if engine not in (PACED, *KINDS):
            raise InvalidRequest(f"There is no engine {engine!r}: choose paced or one of {', '.join(KINDS)}.")
        kind = _kind(network)
        until_s = until or chosen.until_s
        make_out(out)
        typer.echo(f"{len(names) * seeds} runs in real time{_at_most(until_s)}.", err=True)
        found = [_Runs(name, [], []) for name in names]
        most = jobs or None
        for number, runs in enumerate(found):
            for seed in range(1, seeds + 1):
                setup = _setup(chosen, seed, quiet=number > 0 or seed > 1)
                start = partial(
                    emulating.emulate,
                    setup,
                    runs.policy,
                    seed=seed,
                    until_s=until_s,
                    jobs=most,
                    network=kind,
                    engine=engine,
                )
                run = _watched(start, f"{runs.policy}, seed {seed}")
                runs.emulated.append(figures(run))
                if out is not None:
                    _keep(run, out / f"{number}-{Path(runs.policy).stem}-{seed}.jsonl")
                if beside_simulation:
                    made = (runs.policy, partial(resolve, runs.policy))
                    runs.simulated.append(
                        figures(simulate(setup, made, seed=seed, until_s=until_s, jobs=most))
                    )
        text = json.dumps(_document(chosen, found), indent=1, allow_nan=False)
        if out is not None:
            write_out(out / "summary.json", text + "\n")
        if as_json:
            typer.echo(text)
        else:
            _show(chosen, found, beside=beside_simulation)


def _at_most(until_s: float) -> str:
    return "" if math.isinf(until_s) else f", of {until_s:.0f} s at most each"


def _setup(scenario: "Scenario", seed: int, *, quiet: bool) -> "Setup":
    """What is emulated; says once what of the scenario is left out. Raises InvalidRequest and Unsupported."""
    from eapg_split.emulation.bounds import emulatable
    from simulations.building import build

    setup, notes = emulatable(build(scenario, seed))
    for note in () if quiet else notes:
        typer.echo(note, err=True)
    return setup


def _kind(name: str) -> "NetworkKind":
    from eapg_split.emulation.networks import NetworkKind
    from eapg_split.errors import InvalidRequest

    if name not in tuple(NetworkKind):
        raise InvalidRequest(f"There is no network {name!r}: choose one of {', '.join(NetworkKind)}.")
    return NetworkKind(name)


def _watched(start: Callable[..., Coroutine[object, object, "Run"]], label: str) -> "Run":
    """One emulation; a terminal shows how far it is."""
    from eapg_split.cli.run import until_terminated

    shown = sys.stderr.isatty()

    def notify(progress: "Progress") -> None:
        if shown:
            words = f"{label}: {progress.now_s:.0f} s, {progress.ended} of {progress.came} jobs that came are over"
            typer.echo(f"\r{words:<100}", err=True, nl=False)

    try:
        return asyncio.run(until_terminated(start(notify=notify)))
    finally:
        if shown:
            typer.echo(err=True)


def _keep(run: "Run", path: Path) -> None:
    lines = (json.dumps({"job": job.job, **job.as_line()}) for job in run.outcomes)
    write_out(path, "".join(f"{line}\n" for line in lines))


def _mean(figures: Sequence["Figures"], name: str) -> float:
    from simulations.results import intervals

    return intervals(figures)[name].mean


def _error(runs: _Runs, name: str) -> float:
    """Of what was simulated, as a share of what was emulated; NaN where that is nothing."""
    emulated, simulated = _mean(runs.emulated, name), _mean(runs.simulated, name)
    if emulated == simulated:
        return 0.0
    return simulated / emulated - 1 if emulated else math.nan


def _document(scenario: "Scenario", found: Sequence[_Runs]) -> dict[str, object]:
    """The scenario, and of each policy the means of its runs."""
    from simulations.results import intervals, plain

    policies = dict[str, object]()
    for runs in found:
        told: dict[str, object] = {"emulated": plain(intervals(runs.emulated))}
        if runs.simulated:
            errors = {name: _error(runs, name) for _, name, _ in _COLUMNS}
            told["simulated"] = plain(intervals(runs.simulated))
            told["error"] = {name: value if math.isfinite(value) else None for name, value in errors.items()}
        policies[runs.policy] = told
    return {"scenario": scenario.name, "title": scenario.title, "policies": policies}


def _show(scenario: "Scenario", found: Sequence[_Runs], *, beside: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{scenario.title}: real daemons, means over {len(found[0].emulated)} runs")
    for title in ("policy", ""):
        table.add_column(title, no_wrap=True)
    for title, _, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for runs in found:
        rows = (
            (("emulated", runs.emulated), ("simulated", runs.simulated)) if beside else (("", runs.emulated),)
        )
        for label, figures in rows:
            cells = (_cell(_mean(figures, name) * factor, "{:.3g}") for _, name, factor in _COLUMNS)
            table.add_row(runs.policy if label != "simulated" else "", label, *cells)
        if beside:
            errors = (_cell(100 * _error(runs, name), "{:+.1f} %") for _, name, _ in _COLUMNS)
            table.add_row("", "error", *errors)
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)
    left = sum(figures.open for runs in found for figures in runs.emulated)
    if left:
        console.print(f"{left:.0f} jobs were not done when their run ended: no figure of theirs is above.")


def _cell(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)
