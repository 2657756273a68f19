"""`eapg-split emulate`: a small scenario with real daemons behind shaped links, in real time."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli.exits import guarded
from eapg_split.cli.scenario_flags import Jobs, Policies

_Scenario = Annotated[str, typer.Argument(help="A file, or one of those that 'simulate --list' names.")]
_Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="Runs of each policy.")]
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


def emulate(
    scenario: _Scenario,
    policy: Policies = "",
    seeds: _Seeds = 1,
    jobs: Jobs = 0,
    until: _Until = 0.0,
    network: _Network = "user",
    engine: _Engine = "paced",
    beside_simulation: _Beside = False,
    out: _Out = None,
    as_json: _Json = False,
) -> None:
    """Run a small SCENARIO with real daemons behind shaped links, in real time."""
    with guarded():
        from eapg_split.cli.emulated.running import EmulateOptions, network_named, show_emulation
        from eapg_split.cli.flags import parse_policies
        from simulations.scenario import read_scenario

        chosen = read_scenario(scenario)
        options = EmulateOptions(
            policies=parse_policies(policy) or chosen.policies,
            seeds=seeds,
            jobs=jobs or None,
            until_s=until or chosen.until_s,
            network=network_named(network),
            engine=engine,
            beside_simulation=beside_simulation,
            out=out,
            as_json=as_json,
        )
        show_emulation(chosen, options)
