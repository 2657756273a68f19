"""A job that has not ended, as long as this process lives."""

import asyncio
import time
from dataclasses import dataclass, field

from eapg_split.errors import EapgError
from eapg_split.runtime.events import JobEvent, OutputFile, PlanMade, StepDone
from eapg_split.runtime.jobs.event_log import EventLog
from eapg_split.runtime.jobs.ticket import Ended, JobState, JobSummary, JournalledJob, Ticket


@dataclass(eq=False)
class LiveJob:
    """`past` was told by an earlier daemon. `end` is how it ended, or the error for which nobody can say so yet."""

    ticket: Ticket
    log: EventLog
    past: tuple[JobEvent, ...] = ()
    end: "asyncio.Future[Ended]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: "asyncio.Task[None] | None" = None
    state: JobState = JobState.QUEUED
    step: int = 0
    total_steps: int = 0
    cancelled: bool = False  # for good
    paused: bool = False  # until the daemon is started again
    settling: bool = False  # what came of it is being written: too late to stop it

    def __post_init__(self) -> None:
        for event in self.past:
            self._note(event)

    async def emit(self, event: JobEvent) -> None:
        """Tells whoever follows, and the journal."""
        self._note(event)
        await self.log.emit(event)

    def ended(
        self,
        state: JobState,
        *,
        done: bytes = b"",
        error: EapgError | None = None,
        files: tuple[OutputFile, ...] = (),
    ) -> Ended:
        """How it ends now."""
        named = ("", "", "") if error is None else (type(error).__name__, error.message, error.node_id or "")
        return Ended(state, time.time(), done, named, files, self.step, self.total_steps)

    def stop(self) -> None:
        """Ends its task, which says in `cancelled` or `paused` why."""
        if self.task is not None and not self.settling:
            self.task.cancel()

    def _note(self, event: JobEvent) -> None:
        if isinstance(event, PlanMade):
            self.total_steps = event.total_steps
        elif isinstance(event, StepDone):
            self.step = event.step + 1


def summary_of(row: JournalledJob, live: LiveJob | None, now_s: float) -> JobSummary:
    """What a list shows of a job; `live` is None for one that has ended, or is about to begin."""
    ended = row.ended
    if ended is not None:
        state, step, total_steps = ended.state, ended.step, ended.total_steps
    elif live is not None:
        state, step, total_steps = live.state, live.step, live.total_steps
    else:
        state, step, total_steps = JobState.QUEUED, 0, 0
    return JobSummary(
        session=row.ticket.session,
        state=state,
        step=step,
        total_steps=total_steps,
        age_s=max(0.0, now_s - row.ticket.accepted_s),
        ended_s=None if ended is None else max(0.0, now_s - ended.at_s),
        terms=row.ticket.terms,
    )
