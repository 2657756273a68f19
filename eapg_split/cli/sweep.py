"""`eapg-split sweep`: a scenario with other values in, what each policy makes of every point out."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eapg_split.cli.exits import guarded
from eapg_split.cli.out_folder import make_out, write_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulations.sweeps import Row, Sweep

_Scenario = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A file, or one of those that are shipped.")
]
_Set = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="PATH=A,B,C", help="A place in the scenario and what to try there; once or more."
    ),
]
_Policy = Annotated[
    str, typer.Option(metavar="A,B,C", help="Policies to compare; without it the scenario's own.")
]
_Seeds = Annotated[
    int, typer.Option(min=0, metavar="N", help="Runs of each point and policy; 0 takes the scenario's.")
]
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
    Path | None,
    typer.Option(metavar="DIR", help="Where sweep.json, sweep.csv and, with matplotlib, sweep.svg go."),
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document: docs/simulator.md has its fields.")
]


def sweep(
    scenario: _Scenario,
    settings: _Set,
    policy: _Policy = "",
    seeds: _Seeds = 0,
    until: _Until = 0.0,
    jobs: _Jobs = 0,
    parallel: _Parallel = 1,
    ray: _Ray = "",
    out: _Out = None,
    as_json: _Json = False,
) -> None:
    """Run a SCENARIO with every combination of some values: where does which policy win?"""
    with guarded():
        from eapg_split.cli.simulated.progress import shown
        from eapg_split.cli.swept.results import document, show_table, size
        from simulations.replications import MAX_PROCESSES, replicate
        from simulations.scenario import read_scenario
        from simulations.settings import read_parameter
        from simulations.sweeps import Sweep

        chosen = read_scenario(scenario)
        policies = [name.strip() for name in policy.split(",") if name.strip()] or chosen.policies
        wanted = Sweep(
            chosen,
            tuple(map(read_parameter, settings)),
            tuple(policies),
            range(1, (seeds or chosen.seeds) + 1),
            until or None,
            jobs or None,
        )
        make_out(out)
        typer.echo(size(wanted), err=True)
        processes = min(MAX_PROCESSES, parallel or os.cpu_count() or 1)
        rows = list(wanted.rows(shown(replicate(wanted.tasks(), processes, ray), wanted.runs)))
        text = json.dumps(document(wanted, rows), indent=1, allow_nan=False)
        if out is not None:
            _keep(out, text, wanted, rows)
        if as_json:
            typer.echo(text)
        else:
            show_table(wanted, rows)


def _keep(out: Path, text: str, wanted: "Sweep", rows: "Sequence[Row]") -> None:
    """What goes into the folder; the picture only where it can be drawn, which a line says."""
    from eapg_split.cli.swept.results import as_csv
    from eapg_split.errors import Unsupported

    write_out(out / "sweep.json", text + "\n")
    write_out(out / "sweep.csv", as_csv(wanted, rows))
    try:
        from eapg_split.cli.swept.picture import MAX_PANELS, sweep_picture

        drawn = sweep_picture(wanted, rows)
    except Unsupported as error:
        typer.echo(f"sweep.svg is not drawn: {error.message}", err=True)
        return
    if drawn is None:
        typer.echo(
            "sweep.svg is not drawn: it needs a parameter with at least two numbers, and at most"
            f" {MAX_PANELS} settings of the others.",
            err=True,
        )
    else:
        write_out(out / "sweep.svg", drawn)
