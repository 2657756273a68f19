"""One turn of one job: from its newest checkpoint to files that are whole, unless it is stopped before."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from eapg_split.errors import CorruptPayload
from eapg_split.runtime.checkpoint import Checkpoint
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.coordinator import Coordinator
from eapg_split.runtime.events import JobDone, JobEvent, Notice, OutputFile
from eapg_split.runtime.job import Job
from eapg_split.runtime.jobs.checkpoint_file import KeptState, read_checkpoint, write_checkpoint
from eapg_split.runtime.jobs.home import JobFolder
from eapg_split.runtime.jobs.journal_thread import JournalThread
from eapg_split.runtime.jobs.keeper import Keeper
from eapg_split.runtime.jobs.live import LiveJob
from eapg_split.runtime.jobs.ticket import CheckpointFile, JournalledJob, Ticket
from eapg_split.runtime.output import open_output
from eapg_split.runtime.past import NOTHING, Past
from eapg_split.runtime.sink import OpenSink


@dataclass(frozen=True)
class Means:
    """What jobs are made of and written with.

    `open_job` reads a ticket's request and reaches the job's nodes for as long as its block lasts; `encode` and
    `decode` turn events into bytes and back.
    """

    open_job: Callable[[Ticket], AbstractAsyncContextManager[tuple[Job, Cluster]]]
    open_sink: OpenSink
    encode: Callable[[JobEvent], bytes]
    decode: Callable[[bytes], JobEvent]


async def run_job(
    live: LiveJob, means: Means, folder: JobFolder, journal: JournalThread
) -> tuple[JobDone, tuple[OutputFile, ...]]:
    """The job's last event and its files. When this is cancelled the newest checkpoint is kept if `live` is paused."""
    session = live.ticket.session
    row = await journal(lambda each: each.job(session))
    assert row is not None
    await journal(lambda each: each.begin(session, time.time()))
    async with means.open_job(live.ticket) as (job, cluster):
        past = await _past_of(row, folder, live)
        keeper = Keeper(_Checkpoints(cluster, session, folder, journal).write)
        async with open_output(means.open_sink, job.video, folder) as output:
            coordinator = Coordinator(job, cluster, output, emit=live.emit, past=past, keep=keeper.keep)
            try:
                done = await coordinator.run()
            except asyncio.CancelledError:
                if live.paused:
                    await keeper.flush()
                raise
            finally:
                await keeper.close()
            return done, await output.keep()


async def _past_of(row: JournalledJob, folder: JobFolder, live: LiveJob) -> Past:
    if row.began_s is None:
        return NOTHING
    state: KeptState | None = None
    if (file := row.checkpoint) is not None:
        try:
            state = await asyncio.to_thread(read_checkpoint, folder.path, file)
        except CorruptPayload as error:
            await live.emit(Notice(error.message))
    since_s = max(0.0, time.time() - row.began_s)
    return Past(state, live.past, asyncio.get_running_loop().time() - since_s)


class _Checkpoints:
    """Where one job's checkpoints go: a whole file first, then the row that names it, and then no older file."""

    def __init__(self, cluster: Cluster, session: str, folder: JobFolder, journal: JournalThread) -> None:
        self._cluster = cluster
        self._session = session
        self._folder = folder
        self._journal = journal

    async def write(self, checkpoint: Checkpoint) -> None:
        kept = KeptState(
            checkpoint.step, await checkpoint.latent(), checkpoint.budget, self._cluster.fingerprint
        )
        file = await asyncio.to_thread(write_checkpoint, self._folder.path, kept)
        await self._journal(lambda journal: journal.reach(self._session, file))
        await asyncio.to_thread(self._remove_others, file)

    def _remove_others(self, file: CheckpointFile) -> None:
        for each in self._folder.path.glob("*.safetensors*"):
            if each.name != file.name:
                each.unlink(missing_ok=True)
