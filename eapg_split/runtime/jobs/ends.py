"""How jobs ended: in the journal, or in memory for as long as the disk does not take it."""

import asyncio
import functools
import logging
from contextlib import suppress
from dataclasses import replace
from typing import Final

from eapg_split.errors import NodeUnavailable, OutputFailure, SessionNotFound
from eapg_split.runtime.jobs.journal import Journal
from eapg_split.runtime.jobs.journal_thread import JournalThread
from eapg_split.runtime.jobs.ticket import Ended, JournalledJob

_log = logging.getLogger(__name__)
_AGAIN_S: Final = 1.0  # a restart before it is written would run the job again


class Ends:
    """One per device's daemon."""

    def __init__(self, journal: JournalThread) -> None:
        self._journal = journal
        self._unwritten: dict[str, Ended] = {}
        self._writing: asyncio.Task[None] | None = None

    async def declare(self, session: str, ended: Ended) -> bool:
        """Whether this is how the job ends: False where it has ended already.

        An end that the disk does not take is remembered, and written as soon as there is room: only a restart before
        that takes the job up again.
        """
        if session in self._unwritten:
            return False
        try:
            return await self._journal(lambda journal: journal.end(session, ended))
        except OutputFailure as error:
            _log.warning("session %s has ended (%s), which is not written: %s", session, ended.state, error)
        self._unwritten[session] = ended
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_late())
        return True

    async def close(self) -> None:
        """Tries for the last time to write what was not."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        with suppress(OutputFailure):
            await self._write()

    async def _write_late(self) -> None:
        while self._unwritten:
            await asyncio.sleep(_AGAIN_S)
            with suppress(OutputFailure):
                await self._write()
        _log.warning("all ends of jobs are written now")

    async def _write(self) -> None:
        for session, ended in list(self._unwritten.items()):
            await self._journal(functools.partial(Journal.end, session=session, ended=ended))
            self._unwritten.pop(session, None)

    async def of(self, session: str) -> Ended:
        """How a job ended. Raises SessionNotFound, and NodeUnavailable for one that waits for the next daemon."""
        row = await self._journal(lambda journal: journal.job(session))
        if row is None:
            raise SessionNotFound(
                f"The device has no job {session[:40]!r} (any more): see 'eapg-split jobs'.",
                session_id=session,
            )
        ended = self.known(row).ended
        if ended is None:
            raise paused(session)
        return ended

    def known(self, row: JournalledJob) -> JournalledJob:
        """The job with what is known of its end."""
        return replace(row, ended=self._unwritten.get(row.ticket.session, row.ended))

    def forget(self, session: str) -> None:
        """The job is forgotten."""
        self._unwritten.pop(session, None)


def paused(session: str) -> NodeUnavailable:
    """Without the session, by which an error says that it ended the job."""
    return NodeUnavailable(
        "The device's daemon was stopped; the job goes on when it is started again: eapg-split attach"
        f" {session} --nodes FILE."
    )
