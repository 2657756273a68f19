"""`eapg-split simulate`: a scenario in, what each policy makes of it out."""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from eapg_split.cli.exits import guarded

if TYPE_CHECKING:
    from simulations.results import Interval
    from simulations.scenario import Scenario
    from simulations.tasks import Replication

_Scenario = Annotated[
    str | None, typer.Argument(metavar="[SCENARIO]", help="A file, or one of those that are shipped.")
]
_Policy = Annotated[
    str, typer.Option(metavar="A,B,C", help="Policies to compare; without it the scenario's own.")
]
_Seeds = Annotated[int, typer.Option(min=0, metavar="N", help="Runs of each policy; 0 takes the scenario's.")]
_Until = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Simulated time; 0 takes the scenario's.")
]
_Jobs = Annotated[int, typer.Option(min=0, metavar="N", help="Jobs that arrive at most; 0 is no limit.")]
_Parallel = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Processes; 0 takes one for each processor. Results are the same."),
]
_Ray = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help='Run on a Ray cluster: local, auto or HOST:PORT (extra "ray"). Results are the same.',
    ),
]
_Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the JSON lines of every run and the summary go.")
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document: docs/simulator.md has its fields.")
]
_List = Annotated[bool, typer.Option("--list", help="Say which scenarios are shipped.")]

_WIDE: Final = 170
_COLUMNS: Final = (
    ("p50 s", "latency_p50_s", 1.0),
    ("p95 s", "latency_p95_s", 1.0),
    ("p99 s", "latency_p99_s", 1.0),
    ("J a job", "energy_j", 1.0),
    ("money", "money", 1.0),
    ("MB sent", "sent_mb", 1.0),
    ("missed %", "missed", 100.0),
    ("battery %", "battery_left", 100.0),
    ("fairness", "fairness", 1.0),
    ("switches", "switches", 1.0),
)


def simulate(
    scenario: _Scenario = None,
    policy: _Policy = "",
    seeds: _Seeds = 0,
    until: _Until = 0.0,
    jobs: _Jobs = 0,
    parallel: _Parallel = 1,
    ray: _Ray = "",
    out: _Out = None,
    as_json: _Json = False,
    show_list: _List = False,
) -> None:
    """Run a SCENARIO in virtual time: what would each policy make of it?"""
    with guarded():
        from eapg_split.errors import InvalidRequest
        from simulations.replications import MAX_PROCESSES, replicate, tasks
        from simulations.scenario import read_scenario, shipped

        if show_list:
            for name in shipped():
                typer.echo(f"{name:20} {read_scenario(name).title}")
            return
        if scenario is None:
            raise InvalidRequest(f"Name a scenario: a file, or one of {', '.join(shipped())}.")
        chosen = read_scenario(scenario)
        policies = [name.strip() for name in policy.split(",") if name.strip()] or list(chosen.policies)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        wanted = tasks(
            chosen,
            policies,
            range(1, (seeds or chosen.seeds) + 1),
            until_s=until or chosen.until_s,
            jobs=jobs or None,
            folder=out,
        )
        runs: list[Replication] = []
        for run in replicate(wanted, min(MAX_PROCESSES, parallel or os.cpu_count() or 1), ray):
            runs.append(run)
            if sys.stderr.isatty():
                typer.echo(f"\r{len(runs)} of {len(wanted)} runs", err=True, nl=len(runs) == len(wanted))
        text = json.dumps(_document(chosen, policies, runs), indent=1, allow_nan=False)
        if out is not None:
            (out / "summary.json").write_text(text + "\n", encoding="utf-8")
        if as_json:
            typer.echo(text)
        else:
            _show(chosen, policies, runs)


def _document(
    scenario: "Scenario", policies: Sequence[str], runs: Sequence["Replication"]
) -> dict[str, object]:
    """The scenario, the figures of each policy, and of each run."""
    from dataclasses import asdict

    from simulations.results import intervals, plain

    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "policies": {
            name: plain(intervals([run.figures for run in runs if run.policy == name])) for name in policies
        },
        "runs": [
            {
                "policy": run.policy,
                "seed": run.seed,
                **{
                    key: value if math.isfinite(value) else None for key, value in asdict(run.figures).items()
                },
            }
            for run in runs
        ],
    }


def _show(scenario: "Scenario", policies: Sequence[str], runs: Sequence["Replication"]) -> None:
    """A row for each policy: means over the runs and the half widths of their 95 % intervals."""
    from rich.console import Console
    from rich.table import Table

    from simulations.results import intervals

    seeds = len({run.seed for run in runs})
    table = Table(title=f"{scenario.title}: {seeds} runs of each policy, mean ± half of the 95 % interval")
    table.add_column("policy", no_wrap=True)
    for title, _, _ in _COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for name in policies:
        found = intervals([run.figures for run in runs if run.policy == name])
        table.add_row(name, *(_cell(found[key], factor) for _, key, factor in _COLUMNS))
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE  # a file has room
    console.print(table)
    left = sum(run.figures.open for run in runs)
    if left:
        console.print(f"{left:.0f} jobs were not done when their run ended: no figure of theirs is above.")


def _cell(value: "Interval", factor: float) -> str:
    if math.isnan(value.mean):
        return "-"
    mean = f"{value.mean * factor:.3g}"
    return mean if math.isnan(value.half) or value.half < 1e-9 else f"{mean} ± {value.half * factor:.2g}"
