"""The life of jobs on a device: accepted, waiting, running, ended; across restarts of the daemon."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing, suppress
from typing import Final

from eapg_split.errors import (
    CapacityExceeded,
    EapgError,
    NodeUnavailable,
    OutputFailure,
    SessionConflict,
)
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.jobs.course import MOST_BEGINNINGS, Course
from eapg_split.runtime.jobs.ends import Ends, paused
from eapg_split.runtime.jobs.event_log import EventLog, Told
from eapg_split.runtime.jobs.home import JobFolder, JobHome
from eapg_split.runtime.jobs.journal_thread import JournalThread
from eapg_split.runtime.jobs.live import LiveJob, summary_of
from eapg_split.runtime.jobs.retention import to_forget
from eapg_split.runtime.jobs.run import Means
from eapg_split.runtime.jobs.ticket import Ended, JobState, JobSummary, JournalledJob, Terms, Ticket
from eapg_split.runtime.output import read_output
from eapg_split.runtime.settings import Limits

_log = logging.getLogger(__name__)
_SWEEP_S: Final = 600.0


class JobCancelled(Exception):  # noqa: N818  (the name says it)
    """Somebody asked for it; there is nothing to mend."""


class Jobs:
    """One per device's daemon. All methods belong to one event loop; `home` is used by nobody else."""

    def __init__(self, home: JobHome, means: Means, limits: Limits) -> None:
        self._home = home
        self._means = means
        self._limits = limits
        self._journal = JournalThread(home.journal)
        self._course = Course(means, self._journal, limits)
        self._live: dict[str, LiveJob] = {}
        self._ends = Ends(self._journal)
        self._accepting = 0
        self._background: set[asyncio.Task[object]] = set()
        self.stopping = False
        self._closed = False

    async def start(self) -> None:
        """Goes on with every job that was accepted and has not ended; removes what no job owns."""
        rows = await self._journal(lambda journal: journal.jobs())
        known = frozenset(row.ticket.session for row in rows)
        await asyncio.to_thread(self._home.remove_strangers, known)
        for row in rows:
            await self._take_up(row)
        self._in_background(self._sweep_now_and_then())

    async def accept(self, request: bytes, terms: Terms) -> Ticket:
        """Promises to run the job: it is journalled when this returns, and runs whatever becomes of the caller.

        Raises CapacityExceeded, NodeUnavailable while the daemon stops, and OutputFailure.
        """
        self._check_room()
        ticket = Ticket(uuid.uuid4().hex, request, terms, time.time())
        self._accepting += 1
        try:
            await self._journal(lambda journal: journal.accept(ticket))
        finally:
            self._accepting -= 1
        self._begin(LiveJob(ticket, self._log_of(ticket)))
        return ticket

    async def follow(self, session: str, first: int = 0) -> AsyncGenerator[Told, None]:
        """What happened in a job from event `first` on, and what happens, to its files and its last event.

        Raises the error that ended the job, JobCancelled, SessionNotFound, and NodeUnavailable when the daemon stops
        before the end. Close it (`aclosing`) when leaving early; the job goes on.
        """
        live = self._live.get(session)
        if live is not None:
            async with aclosing(live.log.follow(first)) as events:
                async for told in events:
                    yield told
            ended = await asyncio.shield(live.end)
        else:
            ended = await self._ends.of(session)
            for number, data in await self._journal(lambda journal: journal.events(session, first)):
                if (event := self._decoded(data)) is not None:
                    yield Told(number, event)
        if ended.state is JobState.FAILED:
            raise ended.raised(session)
        if ended.state is JobState.CANCELLED:
            raise JobCancelled
        async with aclosing(read_output(self._home.job(session), ended.files)) as files:
            async for piece in files:
                yield Told(0, piece)
        yield Told(0, self._means.decode(ended.done))

    async def summaries(self) -> list[JobSummary]:
        """All jobs that are not forgotten, in the order in which they were accepted."""
        rows = await self._journal(lambda journal: journal.jobs())
        now_s = time.time()
        return [summary_of(self._ends.known(row), self._live.get(row.ticket.session), now_s) for row in rows]

    async def cancel(self, session: str) -> bool:
        """Ends a job for good, also across restarts; False where it is not known or has ended."""
        live = self._live.get(session)
        if live is None or live.cancelled or live.settling:
            return False
        live.cancelled = True
        try:
            return await self._ends.declare(session, live.ended(JobState.CANCELLED))
        finally:
            live.stop()

    def cancel_soon(self, session: str) -> None:
        """The same for a caller that cannot wait."""
        self._in_background(self.cancel(session))

    async def forget(self, session: str) -> None:
        """Removes an ended job and its output. Raises SessionNotFound, and SessionConflict while it goes on."""
        if session in self._live:
            raise SessionConflict(f"The job {session} has not ended: cancel it first.", session_id=session)
        await self._ends.of(session)
        await self._forget(session)

    async def stop(self, within_s: float) -> None:
        """Lets running jobs end for a while, keeps what is left for the next start, and gives the home back.

        May be called again with less patience.
        """
        self.stopping = True
        tasks = [live.task for live in self._live.values() if live.task is not None]
        self._pause([live for live in self._live.values() if live.state is JobState.QUEUED])
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        self._pause(list(self._live.values()))
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._closed:
            return
        self._closed = True
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._ends.close()
        await self._journal.close()
        self._home.close()

    def _check_room(self) -> None:
        if self.stopping:
            raise NodeUnavailable("The device's daemon stops and takes no more jobs: start it again.")
        taken, limits = len(self._live) + self._accepting, self._limits
        if taken >= limits.sessions + limits.queued_jobs:
            raise CapacityExceeded(
                f"The device already has {taken} jobs, its limit: wait for one to end, or raise limits.sessions or"
                " limits.queued_jobs."
            )

    async def _take_up(self, row: JournalledJob) -> None:
        ticket, folder = row.ticket, self._home.job(row.ticket.session)
        if row.ended is not None:
            done = row.ended.state is JobState.DONE
            await asyncio.to_thread(folder.tidy, folder.output.name if done else None)
            return
        await asyncio.to_thread(folder.tidy, row.checkpoint.name if row.checkpoint is not None else None)
        past = [
            Told(number, event)
            for number, data in await self._journal(lambda journal: journal.events(ticket.session))
            if (event := self._decoded(data)) is not None
        ]
        last = await self._journal(lambda journal: journal.last_event(ticket.session))
        live = LiveJob(ticket, self._log_of(ticket, past, last), tuple(told.event for told in past))
        self._begin(live, given_up=row.beginnings >= MOST_BEGINNINGS)

    def _begin(self, live: LiveJob, *, given_up: bool = False) -> None:
        self._live[live.ticket.session] = live
        live.end.add_done_callback(lambda end: end.cancelled() or end.exception())  # nobody need follow
        live.task = asyncio.create_task(self._live_through(live, given_up=given_up))

    async def _live_through(self, live: LiveJob, *, given_up: bool) -> None:
        session, folder = live.ticket.session, self._home.job(live.ticket.session)
        try:
            ended = await self._course.end_of(live, folder, given_up=given_up)
        except asyncio.CancelledError:
            ended = None
        live.settling = True
        try:
            live.end.set_result(await self._settled(live, ended, folder))
        except EapgError as error:
            live.end.set_exception(error)
        except Exception as error:
            _log.exception("the end of session %s cannot be kept", session)
            words = f"What came of the job cannot be kept ({error}): start the device's daemon again."
            live.end.set_exception(OutputFailure(words))
        del self._live[session]
        if not self.stopping:
            self._in_background(self._sweep())

    async def _settled(self, live: LiveJob, ended: Ended | None, folder: JobFolder) -> Ended:
        """What stands in the journal of a job that ended, or was stopped (None). Raises for one that will go on."""
        await live.log.close()
        if ended is not None and not await self._ends.declare(live.ticket.session, ended):
            live.cancelled = True
        if ended is None or live.cancelled:
            ended = await self._stopped(live)
        await asyncio.to_thread(folder.tidy, folder.output.name if ended.files else None)
        return ended

    async def _stopped(self, live: LiveJob) -> Ended:
        """Of a job that did not run to its end."""
        session = live.ticket.session
        if live.cancelled:
            return live.ended(JobState.CANCELLED)
        with suppress(OutputFailure):  # then it counts as one beginning more
            await self._journal(lambda journal: journal.pause(session))
        raise paused(session)

    def _pause(self, lives: Sequence[LiveJob]) -> None:
        for live in lives:
            if not live.cancelled:
                live.paused = True
                live.stop()

    def _log_of(self, ticket: Ticket, past: Sequence[Told] = (), last: int = 0) -> EventLog:
        async def write(events: Sequence[Told]) -> None:
            rows = [(told.number, self._means.encode(told.event)) for told in events]
            try:
                await self._journal(lambda journal: journal.tell(ticket.session, rows))
            except OutputFailure as error:  # who attaches after a restart misses it
                _log.warning("%s", error)

        return EventLog(write, past, last)

    def _decoded(self, data: bytes) -> JobEvent | None:
        try:
            return self._means.decode(data)
        except EapgError:
            return None  # of another version

    async def _sweep_now_and_then(self) -> None:
        while True:
            await self._sweep()
            await asyncio.sleep(_SWEEP_S)

    async def _sweep(self) -> None:
        try:
            rows = await self._journal(lambda journal: journal.jobs())
            for session in to_forget(rows, self._limits, time.time()):
                await self._forget(session)
        except OutputFailure as error:
            _log.warning("%s", error)

    async def _forget(self, session: str) -> None:
        await self._journal(lambda journal: journal.forget(session))
        self._ends.forget(session)
        await asyncio.to_thread(self._home.job(session).remove)

    def _in_background(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
