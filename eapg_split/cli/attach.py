"""`eapg-split attach`: the events of a job that a device has, and its video."""

import asyncio
import time

import typer

from eapg_split.cli.detach import JobAddress, open_attached, wanted_output
from eapg_split.cli.display import open_display
from eapg_split.cli.output import OutputWriter
from eapg_split.cli.run import Sinks, until_terminated
from eapg_split.cli.summary import record, render


def attach_job(job: JobAddress, output: str | None, *, as_json: bool) -> None:
    """Blocks until the file is in place. Raises an EapgError, KeyboardInterrupt or Terminated otherwise."""
    started = time.perf_counter()
    device, wanted = wanted_output(job, output)
    with OutputWriter(wanted) as writer, open_display(lambda step: f"step {step}") as display:
        sinks = Sinks(writer, display)
        done, steps = asyncio.run(until_terminated(sinks.take_all(open_attached(device, job.session))))
        writer.commit()
    wall_s = time.perf_counter() - started
    target = str(writer.target)
    typer.echo(record(done, None, target, wall_s) if as_json else render(done, steps, target, wall_s))
