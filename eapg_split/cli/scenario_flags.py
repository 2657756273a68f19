"""Flags of the commands that run a scenario, with what `--help` says of them."""

from typing import Annotated

import typer

Policies = Annotated[
    str, typer.Option("--policy", metavar="A,B,C", help="Policies to compare; without it the scenario's own.")
]
Seeds = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Runs of each policy (and point); 0 takes the scenario's number."),
]
Until = Annotated[
    float, typer.Option(min=0, metavar="SECONDS", help="Simulated time; 0 takes the scenario's.")
]
Jobs = Annotated[int, typer.Option(min=0, metavar="N", help="Jobs that arrive at most; 0 is no limit.")]
Parallel = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Processes; 0 takes one for each processor. Results are the same."),
]
Ray = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help='Run on a Ray cluster: local, auto or HOST:PORT (extra "ray"). Results are the same.',
    ),
]
