"""The life of jobs in this process: promised, in turn, ended, taken up again, forgotten."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from eapg_split.domain.topology import Tier
from eapg_split.errors import (
    CapacityExceeded,
    DeadlineExceeded,
    EngineFailure,
    InvalidRequest,
    NodeUnavailable,
    OutputFailure,
    SessionConflict,
    SessionNotFound,
)
from eapg_split.planner import resolve
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import JobDone, JobEvent, Notice, StepDone
from eapg_split.runtime.job import Job
from eapg_split.runtime.jobs.course import MOST_BEGINNINGS
from eapg_split.runtime.jobs.home import JobHome
from eapg_split.runtime.jobs.journal import Journal
from eapg_split.runtime.jobs.life import JobCancelled, Jobs
from eapg_split.runtime.jobs.run import Means
from eapg_split.runtime.jobs.ticket import Ended, JobState, Terms, Ticket
from eapg_split.runtime.settings import Limits
from tests.nodes import SMALL, STEPS, toy_worker
from tests.runtime.test_coordinator import raw_sink
from tests.toy_engine import open_engine, open_slow_engine

TERMS = Terms("local", "device-only", "A cat", ".rgb")
TOLD: list[JobEvent] = []
"""Stands for the wire's bytes, which are not of interest here."""


def encoded(event: JobEvent) -> bytes:
    TOLD.append(event)
    return str(len(TOLD) - 1).encode()


@asynccontextmanager
async def device(folder: Path, *, slow: bool = False, limits: Limits | None = None) -> AsyncIterator[Jobs]:
    """The request of a job is a word: "fail" is refused when its turn comes."""
    engine = open_slow_engine if slow else open_engine
    worker = toy_worker("device", Tier.DEVICE, engine=lambda: engine("toy"))

    @asynccontextmanager
    async def open_job(ticket: Ticket) -> AsyncIterator[tuple[Job, Cluster]]:
        if ticket.request == b"fail":
            raise InvalidRequest("Not that.", node_id="device")
        deadline = Deadline.on_wall_clock(ticket.terms.deadline_s)
        policy = resolve(ticket.terms.policy)
        yield Job(ticket.session, SMALL, policy, "lossless", ".rgb", deadline=deadline), Cluster(worker, ())

    means = Means(open_job, raw_sink, encoded, lambda data: TOLD[int(data)])
    jobs = Jobs(JobHome(folder), means, limits or Limits())
    try:
        await jobs.start()
        yield jobs
    finally:
        await jobs.stop(0)
        worker.thread.close()


async def heard(jobs: Jobs, session: str) -> list[JobEvent]:
    async with asyncio.timeout(30), aclosing(jobs.follow(session)) as events:
        return [told.event async for told in events]


def copied(home: Path, to: Path) -> None:
    """A folder that is written to meanwhile: what goes away while it is read is not copied."""
    with contextlib.suppress(shutil.Error):  # the rest is there
        shutil.copytree(home, to)


async def reached(jobs: Jobs, session: str, step: int) -> None:
    async with asyncio.timeout(30), aclosing(jobs.follow(session)) as events:
        async for told in events:
            if isinstance(told.event, StepDone) and told.event.step >= step:
                return


def unended(folder: Path) -> int:
    """How many jobs the journal on the disk has that have not ended."""
    journal = Journal(folder / "jobs.sqlite")
    count = sum(job.ended is None for job in journal.jobs())
    journal.close()
    return count


async def states(jobs: Jobs) -> list[JobState]:
    return [each.state for each in await jobs.summaries()]


async def test_a_job_that_failed_says_so_for_as_long_as_it_is_kept(tmp_path: Path) -> None:
    session = ""
    for _ in range(2):
        async with device(tmp_path) as jobs:
            session = session or (await jobs.accept(b"fail", TERMS)).session
            with pytest.raises(InvalidRequest, match="Not that") as caught:
                await heard(jobs, session)
            assert (caught.value.node_id, caught.value.session_id) == ("device", session)
            assert await states(jobs) == [JobState.FAILED]
            assert not await jobs.cancel(session)
    async with device(tmp_path, limits=Limits(kept_jobs_s=0)) as jobs:
        async with asyncio.timeout(10):
            while await jobs.summaries():  # noqa: ASYNC110  # nothing tells us
                await asyncio.sleep(0.01)
        with pytest.raises(SessionNotFound):
            await heard(jobs, session)


async def test_it_goes_on_where_it_was_and_a_copy_of_the_folder_would_too(tmp_path: Path) -> None:
    home = tmp_path / "state"
    async with device(home, slow=True) as jobs:
        session = (await jobs.accept(b"", TERMS)).session
        with pytest.raises(SessionConflict):
            await jobs.forget(session)
        await reached(jobs, session, 3)
        copied(home, tmp_path / "copy")
        following = asyncio.create_task(heard(jobs, session))
        await asyncio.sleep(0)
    with pytest.raises(NodeUnavailable, match="attach"):
        await following
    ended = []
    for folder in (home, tmp_path / "copy"):
        async with device(folder) as jobs:
            events = await heard(jobs, session)
            assert isinstance(events[-1], JobDone)
            steps = {event.step for event in events if isinstance(event, StepDone)}
            assert steps == set(range(STEPS))
            assert await states(jobs) == [JobState.DONE]
            ended.append(events[-1])
    assert ended[0].frames_sha256 == ended[1].frames_sha256
    assert ended[0].wall_s > 4 * 0.15, "it began when its first daemon began it"


async def test_a_stop_keeps_the_newest_checkpoint(tmp_path: Path) -> None:
    async with device(tmp_path, slow=True) as jobs:
        session = (await jobs.accept(b"", TERMS)).session
        await reached(jobs, session, 4)
    async with device(tmp_path) as jobs:
        events = await heard(jobs, session)
        texts = [event.text for event in events if isinstance(event, Notice)]
        assert any("going on from step 5" in text or "going on from step 6" in text for text in texts)
        steps = [event.step for event in events if isinstance(event, StepDone)]
        assert steps == list(range(STEPS)), "none was done twice"


async def test_a_deadline_is_a_moment_whatever_runs(tmp_path: Path) -> None:
    soon = replace(TERMS, deadline_s=time.time() + 0.4)
    async with device(tmp_path, slow=True, limits=Limits(sessions=1)) as jobs:
        first = (await jobs.accept(b"", TERMS)).session
        second = (await jobs.accept(b"", soon)).session
        with pytest.raises(DeadlineExceeded, match="its turn"):
            await heard(jobs, second)
        assert await jobs.cancel(first)
        third = (await jobs.accept(b"", replace(TERMS, deadline_s=time.time() + 0.4))).session
        await reached(jobs, third, 0)
    await asyncio.sleep(0.4)  # nothing runs: it passes all the same
    async with device(tmp_path) as jobs:
        with pytest.raises(DeadlineExceeded):
            await heard(jobs, third)
        with pytest.raises(JobCancelled):
            await heard(jobs, first)


async def test_a_job_that_ends_its_daemon_each_time_is_given_up(tmp_path: Path) -> None:
    async with device(tmp_path, slow=True) as jobs:
        session = (await jobs.accept(b"", TERMS)).session
        await reached(jobs, session, 0)
        copied(tmp_path, tmp_path.with_name("crashed"))
    home = JobHome(tmp_path.with_name("crashed"))
    for _ in range(MOST_BEGINNINGS):
        home.journal.begin(session, 0.0)
    home.close()
    async with device(tmp_path.with_name("crashed")) as jobs:
        with pytest.raises(EngineFailure, match="5 times"):
            await heard(jobs, session)


async def test_so_many_jobs_and_no_more(tmp_path: Path) -> None:
    async with device(tmp_path, slow=True, limits=Limits(sessions=1, queued_jobs=1)) as jobs:
        accepted = await asyncio.gather(*(jobs.accept(b"", TERMS) for _ in range(5)), return_exceptions=True)
        tickets = [each for each in accepted if isinstance(each, Ticket)]
        assert len(tickets) == 2
        assert sum(isinstance(each, CapacityExceeded) for each in accepted) == 3
        for ticket in tickets:
            assert await jobs.cancel(ticket.session)
            with pytest.raises(JobCancelled):
                await heard(jobs, ticket.session)
        await jobs.accept(b"", TERMS)
    with pytest.raises(NodeUnavailable, match="start it again"):
        await jobs.accept(b"", TERMS)


async def test_an_end_that_the_disk_does_not_take_is_written_as_soon_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    end = Journal.end

    def until_there_is_room(journal: Journal, session: str, ended: Ended) -> bool:
        if full:
            raise OutputFailure("No room.")
        return end(journal, session, ended)

    monkeypatch.setattr(Journal, "end", until_there_is_room)
    async with device(tmp_path, slow=True) as jobs:
        done = (await jobs.accept(b"", TERMS)).session
        assert isinstance((await heard(jobs, done))[-1], JobDone)
        cancelled = (await jobs.accept(b"", TERMS)).session
        assert await jobs.cancel(cancelled)
        assert not await jobs.cancel(cancelled)
        with pytest.raises(JobCancelled):
            await heard(jobs, cancelled)
        assert isinstance((await heard(jobs, done))[-1], JobDone)
        assert await states(jobs) == [JobState.DONE, JobState.CANCELLED]
        assert unended(tmp_path) == 2
        full = False
        async with asyncio.timeout(10):
            while unended(tmp_path):  # noqa: ASYNC110  # nothing tells us
                await asyncio.sleep(0.01)
        full = True
        failed = (await jobs.accept(b"fail", TERMS)).session
        with pytest.raises(InvalidRequest, match="Not that"):
            await heard(jobs, failed)
        assert await states(jobs) == [JobState.DONE, JobState.CANCELLED, JobState.FAILED]
        full = False  # at the very last moment
    async with device(tmp_path) as jobs:
        assert await states(jobs) == [JobState.DONE, JobState.CANCELLED, JobState.FAILED]
