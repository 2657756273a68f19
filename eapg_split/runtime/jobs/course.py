"""What becomes of one job in this process: it waits for its turn, runs, and ends, or is stopped."""

import asyncio
import logging
import uuid
from typing import Final

from eapg_split.errors import CapacityExceeded, DeadlineExceeded, EapgError, EngineFailure
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import Notice
from eapg_split.runtime.jobs.home import JobFolder
from eapg_split.runtime.jobs.journal_thread import JournalThread
from eapg_split.runtime.jobs.live import LiveJob
from eapg_split.runtime.jobs.queue import JobQueue
from eapg_split.runtime.jobs.run import Means, run_job
from eapg_split.runtime.jobs.ticket import Ended, JobState
from eapg_split.runtime.settings import Limits

_log = logging.getLogger(__name__)
MOST_BEGINNINGS: Final = 5  # of a job that ends its daemon each time before its next checkpoint


class Course:
    """One per device's daemon: `limits.sessions` jobs run at a time."""

    def __init__(self, means: Means, journal: JournalThread, limits: Limits) -> None:
        self._means = means
        self._journal = journal
        self._places = limits.sessions
        self._queue = JobQueue(limits.sessions)

    async def end_of(self, live: LiveJob, folder: JobFolder, *, given_up: bool) -> Ended:
        """How the job ended by itself, which nobody has declared yet. Whoever cancels this stops it."""
        try:
            if given_up:
                raise EngineFailure(
                    f"The device's daemon ended {MOST_BEGINNINGS} times while it ran this job: its log may say why."
                )
            await self._wait_for_turn(live)
            try:
                live.state = JobState.RUNNING
                done, files = await run_job(live, self._means, folder, self._journal)
            finally:
                self._queue.give()
        except EapgError as error:
            return live.ended(JobState.FAILED, error=error)
        except MemoryError:
            words = "The device ran out of memory: give its daemon more, or ask for a smaller video."
            return live.ended(JobState.FAILED, error=CapacityExceeded(words))
        except Exception:
            correlation = uuid.uuid4().hex[:12]
            _log.exception("unforeseen error, correlation id %s", correlation)
            words = f"An unforeseen error; the device's log has it under the correlation id {correlation}."
            return live.ended(JobState.FAILED, error=EngineFailure(words))
        return live.ended(JobState.DONE, done=self._means.encode(done), files=files)

    async def _wait_for_turn(self, live: LiveJob) -> None:
        terms = live.ticket.terms
        if not self._queue.free:
            others = self._queue.waiting + self._places
            await live.emit(Notice(f"Waiting for its turn: the device has {others} other jobs."))
        try:
            async with asyncio.timeout_at(Deadline.on_wall_clock(terms.deadline_s).when):
                await self._queue.take(terms.caller)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The job's deadline passed before its turn came: give it more time, or another device."
            ) from error
