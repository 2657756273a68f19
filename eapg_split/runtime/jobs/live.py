"""A job that has not ended, as long as this process lives."""

import asyncio
from dataclasses import dataclass, field

from eapg_split.runtime.events import JobEvent, PlanMade, StepDone
from eapg_split.runtime.jobs.event_log import EventLog
from eapg_split.runtime.jobs.ticket import Ended, JobState, Ticket


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

    def stop(self) -> None:
        """Ends its task, which says in `cancelled` or `paused` why."""
        if self.task is not None and not self.settling:
            self.task.cancel()

    def _note(self, event: JobEvent) -> None:
        if isinstance(event, PlanMade):
            self.total_steps = event.total_steps
        elif isinstance(event, StepDone):
            self.step = event.step + 1
