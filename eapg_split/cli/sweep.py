"""`eapg-split sweep`: a scenario with other values in, what each policy makes of every point out."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eapg_split.cli.exits import guarded
from eapg_split.cli.files import make_folder, write_text
from eapg_split.cli.scenario_flags import Jobs, Parallel, Policies, Ray, Seeds, Until

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
    policy: Policies = "",
    seeds: Seeds = 0,
    until: Until = 0.0,
    jobs: Jobs = 0,
    parallel: Parallel = 1,
    ray: Ray = "",
    out: _Out = None,
    as_json: _Json = False,
) -> None:
    """Run a SCENARIO with every combination of some values: where does which policy win?"""
    with guarded():
        from eapg_split.cli.flags import parse_policies
        from eapg_split.cli.simulated.progress import shown
        from eapg_split.cli.swept.results import document, show_table, size
        from simulations.replications import MAX_PROCESSES, replicate
        from simulations.scenario import read_scenario
        from simulations.settings import read_parameter
        from simulations.sweeps import Sweep

        chosen = read_scenario(scenario)
        policies = parse_policies(policy) or chosen.policies
        wanted = Sweep(
            chosen,
            tuple(map(read_parameter, settings)),
            policies,
            range(1, (seeds or chosen.seeds) + 1),
            until or None,
            jobs or None,
        )
        if out is not None:
            make_folder(out)
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

    write_text(out / "sweep.json", text + "\n")
    write_text(out / "sweep.csv", as_csv(wanted, rows))
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
        write_text(out / "sweep.svg", drawn)
