"""`eapg-split jobs`, `attach` and `cancel`: flags of what is done with jobs that a device has."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli.exits import guarded

_Nodes = Annotated[
    Path | None, typer.Option("--nodes", metavar="FILE", help="TOML list of the running daemons.")
]
_Id = Annotated[str, typer.Argument(metavar="ID", help="As 'generate --detach' or 'jobs' print it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def jobs(
    nodes: _Nodes = None,
    forget: Annotated[
        str | None, typer.Option(metavar="ID", help="Remove a job that has ended, with its output.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """List the jobs of a device: those that wait, run, or have ended and are still kept."""
    with guarded():
        from eapg_split.cli.detach import show_jobs

        show_jobs(nodes, forgotten=forget, as_json=as_json)


def attach(
    session: _Id,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to put the video; its ending is that of the job."
        ),
    ] = None,
    nodes: _Nodes = None,
    as_json: _Json = False,
) -> None:
    """Show how a job goes on and fetch its video. Ctrl-C leaves the job as it is."""
    with guarded():
        from eapg_split.cli.attach import attach_job
        from eapg_split.cli.detach import JobAddress

        attach_job(JobAddress(session, nodes), output, as_json=as_json)


def cancel(session: _Id, nodes: _Nodes = None) -> None:
    """Cancel a job that waits or runs, on every node."""
    with guarded():
        from eapg_split.cli.detach import JobAddress, cancel_job

        cancel_job(JobAddress(session, nodes))
