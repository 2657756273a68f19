"""`eapg-split simulate`: a scenario in, what each policy makes of it out."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eapg_split.cli.exits import guarded
from eapg_split.cli.files import make_folder, write_text
from eapg_split.cli.scenario_flags import Jobs, Parallel, Policies, Ray, Seeds, Until

if TYPE_CHECKING:
    from simulations.scenario import Scenario
    from simulations.tasks import Replication

_Scenario = Annotated[
    str | None, typer.Argument(metavar="[SCENARIO]", help="A file, or one of those that are shipped.")
]
_Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where summary, JSON lines, Parquet and pictures go: docs/simulator.md."
    ),
]
_Pictures = Annotated[
    bool | None,
    typer.Option(
        "--pictures/--no-pictures", help="Draw into DIR; without a word only if matplotlib is there."
    ),
]
_Job = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="The job to draw; without it one of median latency."),
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document: docs/simulator.md has its fields.")
]
_List = Annotated[bool, typer.Option("--list", help="Say which scenarios are shipped.")]


def simulate(
    scenario: _Scenario = None,
    policy: Policies = "",
    seeds: Seeds = 0,
    until: Until = 0.0,
    jobs: Jobs = 0,
    parallel: Parallel = 1,
    ray: Ray = "",
    out: _Out = None,
    pictures: _Pictures = None,
    job: _Job = None,
    as_json: _Json = False,
    show_list: _List = False,
) -> None:
    """Run a SCENARIO in virtual time: what would each policy make of it?"""
    with guarded():
        from eapg_split.cli.flags import parse_policies
        from eapg_split.cli.simulated.progress import shown
        from eapg_split.cli.simulated.results import Wanted, check_wanted, write_results
        from eapg_split.cli.simulated.table import show_table
        from eapg_split.errors import InvalidRequest
        from simulations.replications import MAX_PROCESSES, replicate, tasks
        from simulations.scenario import read_scenario, shipped

        if show_list:
            typer.echo("\n".join(f"{name:20} {read_scenario(name).title}" for name in shipped()))
            return
        if scenario is None:
            raise InvalidRequest(f"Name a scenario: a file, or one of {', '.join(shipped())}.")
        chosen = read_scenario(scenario)
        policies = parse_policies(policy) or chosen.policies
        beside = Wanted(pictures, job)
        check_wanted(beside, out)
        numbers, end_s = range(1, (seeds or chosen.seeds) + 1), until or chosen.until_s
        wanted = tasks(chosen, policies, numbers, until_s=end_s, jobs=jobs or None, folder=out)
        if out is not None:
            make_folder(out)
        processes = min(MAX_PROCESSES, parallel or os.cpu_count() or 1)
        runs = list(shown(replicate(wanted, processes, ray), len(wanted)))
        text = json.dumps(_document(chosen, policies, runs), indent=1, allow_nan=False)
        if as_json:
            typer.echo(text)
        else:
            show_table(chosen, policies, runs)
        if out is not None:
            write_text(out / "summary.json", text + "\n")
            for note in write_results(out, chosen, wanted, policies, beside):
                typer.echo(note, err=True)


def _document(
    scenario: "Scenario", policies: Sequence[str], runs: Sequence["Replication"]
) -> dict[str, object]:
    """The scenario, the figures of each policy, and of each run."""
    from dataclasses import asdict

    from simulations.results import finite, intervals, plain

    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "policies": {
            name: plain(intervals([run.figures for run in runs if run.policy == name])) for name in policies
        },
        "runs": [{"policy": run.policy, "seed": run.seed, **finite(asdict(run.figures))} for run in runs],
    }
