"""Jobs that a device runs by itself: handed over, listed, joined again, cancelled."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from eapg_split.cli.connect import REATTACH_S, Device, GenerateOptions, job_options, listed_device
from eapg_split.cli.text import duration, table
from eapg_split.errors import InvalidRequest, SessionConflict, SessionNotFound
from eapg_split.rpc.job_client import attach, cancel, forget, list_jobs, submit
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.jobs.ticket import JobSummary
from eapg_split.video import suffix_of


@dataclass(frozen=True)
class JobAddress:
    """A job that a device has: its id, and the file that lists the device."""

    session: str
    nodes: Path | None


def hand_over(options: GenerateOptions) -> None:
    """Prints the id of the job once the device has promised to run it."""
    nodes = _listed(options.nodes)
    for flag, value in (("--preview", options.preview), ("--log", options.log)):
        if value is not None:
            raise InvalidRequest(f"{flag} needs somebody who listens: leave it out, or --detach.")

    async def submitted() -> str:
        device = await listed_device(nodes)
        return await submit(
            device.address, options.request, job_options(options, device), access=device.access
        )

    session = asyncio.run(submitted())
    typer.echo(json.dumps({"session": session}) if options.as_json else session)


def show_jobs(nodes: Path | None, *, forgotten: str | None, as_json: bool) -> None:
    """Prints the jobs of the device, or removes one that has ended."""
    listed = _listed(nodes)

    async def asked() -> tuple[JobSummary, ...]:
        device = await listed_device(listed)
        if forgotten is not None:
            await forget(device.address, forgotten, access=device.access)
            return ()
        return await list_jobs(device.address, ended=True, access=device.access)

    jobs = asyncio.run(asked())
    if forgotten is None:
        typer.echo(_jobs_json(jobs) if as_json else _jobs_table(jobs))


def cancel_job(job: JobAddress) -> None:
    """Ends a job on every node. Raises SessionNotFound, and SessionConflict for one that has ended."""
    listed = _listed(job.nodes)

    async def cancelled() -> None:
        device = await listed_device(listed)
        if not await cancel(device.address, job.session, access=device.access):
            found = await _found(device, job.session)
            ago = duration(found.ended_s or 0.0)
            raise SessionConflict(
                f"The job {job.session} ended {ago} ago ({found.state}): there is nothing to cancel."
            )

    asyncio.run(cancelled())


@asynccontextmanager
async def open_attached(device: Device, session: str) -> AsyncIterator[AsyncIterator[JobEvent]]:
    """The job's events from its beginning; leaving the block leaves the job as it is."""
    heard = attach(device.address, session, access=device.access, reattach_s=REATTACH_S)
    async with aclosing(heard) as events:
        yield events


def wanted_output(job: JobAddress, output: str | None) -> tuple[Device, str]:
    """The device, and the name for the job's video: the one that is wished for, where its ending is the job's."""

    async def found() -> tuple[Device, JobSummary]:
        device = await listed_device(_listed(job.nodes))
        return device, await _found(device, job.session)

    device, summary = asyncio.run(found())
    suffix = summary.terms.suffix
    if output is None:
        return device, f"video{suffix}" if suffix else "video/"
    if suffix_of(output) != suffix:
        kind = f"a file that ends in {suffix}" if suffix else "a folder of PNG, whose name has no ending"
        raise InvalidRequest(f"The job makes {kind}: choose another name than {output!r}.")
    return device, output


async def _found(device: Device, session: str) -> JobSummary:
    for each in await list_jobs(device.address, ended=True, access=device.access):
        if each.session == session:
            return each
    raise SessionNotFound(f"The device has no job {session[:40]!r} (any more): see 'eapg-split jobs'.")


def _listed(nodes: Path | None) -> Path:
    if nodes is None:
        raise InvalidRequest(
            "Jobs live on in a device's daemon that was started by itself: name it with --nodes FILE."
        )
    return nodes


def _jobs_json(jobs: tuple[JobSummary, ...]) -> str:
    return json.dumps(
        [
            {
                "session": job.session,
                "state": job.state,
                "step": job.step,
                "total_steps": job.total_steps,
                "policy": job.terms.policy,
                "prompt": job.terms.label,
                "suffix": job.terms.suffix,
                "age_s": round(job.age_s, 3),
                "ended_s": None if job.ended_s is None else round(job.ended_s, 3),
            }
            for job in jobs
        ],
        ensure_ascii=False,
    )


def _jobs_table(jobs: tuple[JobSummary, ...]) -> str:
    if not jobs:
        return "no jobs"
    rows = [
        (
            job.session,
            str(job.state),
            f"{job.step}/{job.total_steps}" if job.total_steps else "",
            job.terms.policy,
            duration(job.age_s),
            "" if job.ended_s is None else duration(job.ended_s),
            job.terms.label,
        )
        for job in jobs
    ]
    return table(("id", "state", "step", "policy", "age", "ended ago", "prompt"), rows)
