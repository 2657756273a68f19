"""Runs one job from the person's side: daemons up, job accepted, events shown, file in place, daemons down."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from eapg_split.cli.connect import GenerateOptions, open_events
from eapg_split.cli.detach import hand_over
from eapg_split.cli.display import Display, open_display
from eapg_split.cli.exits import Terminated
from eapg_split.cli.flags import check_engine, check_quality
from eapg_split.cli.output import OutputWriter
from eapg_split.cli.previews import PreviewWriter
from eapg_split.cli.run_log import LogWriter
from eapg_split.cli.run_log.writer import header_of
from eapg_split.cli.summary import StepLog, record, render
from eapg_split.codecs import codec_named
from eapg_split.domain.workload import Workload
from eapg_split.eapg.completion import Completion, complete_prompt
from eapg_split.eapg.workload import unroll
from eapg_split.errors import InvalidRequest, NodeUnavailable, SessionConflict
from eapg_split.planner import is_path, resolve
from eapg_split.runtime.events import JobDone, JobEvent, OutputChunk, OutputFile, PreviewFrame, StepDone
from eapg_split.video import suffix_of

_T = TypeVar("_T")


def run(options: GenerateOptions) -> None:
    """Blocks until the file is in place. Raises an EapgError, KeyboardInterrupt or Terminated otherwise."""
    started = time.perf_counter()
    _check(options)
    if options.detach:
        hand_over(options)
        return
    workload = unroll(options.request)
    reading = complete_prompt(options.request.prompt, options.request.seed)
    with (
        OutputWriter(options.output) as writer,
        _open_display(workload) as display,
        _open_log(options, workload, reading, display) as log,
    ):
        display.say(reading.sentence())
        previews = PreviewWriter(options.preview, options.request.seconds) if options.preview else None
        sinks = Sinks(writer, display, log, previews)
        done, steps = asyncio.run(until_terminated(sinks.take_all(open_events(options))))
        writer.commit()
    wall_s = time.perf_counter() - started
    if options.as_json:
        typer.echo(record(done, reading, str(writer.target), wall_s))
    else:
        typer.echo(render(done, steps, str(writer.target), wall_s))


def _open_display(workload: Workload) -> Display:
    return open_display(lambda step: workload.stage_of(step).name)


def _open_log(
    options: GenerateOptions, workload: Workload, reading: Completion, display: Display
) -> AbstractContextManager[LogWriter | None]:
    if options.log is None:
        return nullcontext()
    if options.log.path.resolve() == Path(options.output).resolve():
        raise InvalidRequest("--log and --output name the same file: choose two.")
    header = header_of(
        workload,
        understood=reading.sentence() if options.log.with_prompt else "",
        policy=options.policy,
        codec=options.codec,
        quality_db=options.quality_db,
        engine=options.engine,
        wishes=options.wishes,
        deadline_s=options.deadline_s,
    )
    return LogWriter(options.log.path, header, display.say)


def _check(options: GenerateOptions) -> None:
    """What can be known to be wrong before a daemon is started."""
    suffix_of(options.output)
    codec_named(options.codec)
    check_quality(options.quality_db)
    check_engine(options.engine)
    if ":" not in options.policy and not is_path(options.policy):
        resolve(options.policy)  # a policy of one's own is looked up where it runs: in the device's daemon


@dataclass
class Sinks:
    """Where one job's events belong."""

    writer: OutputWriter
    display: Display
    log: LogWriter | None = None
    previews: PreviewWriter | None = None

    async def take_all(
        self, opened: AbstractAsyncContextManager[AsyncIterator[JobEvent]]
    ) -> tuple[JobDone, StepLog]:
        """The job to its end; leaving it early leaves `opened`."""
        steps, done = StepLog(), None
        try:
            async with opened as events:
                async for event in events:
                    self._take(event)
                    match event:
                        case JobDone():
                            done = event
                        case StepDone():
                            steps.add(event)
        finally:
            if self.previews is not None:
                self.previews.abort()
        if done is None:
            raise NodeUnavailable("The device ended the job without a result: see its log, and try again.")
        return done, steps

    def _take(self, event: JobEvent) -> None:
        if self.log is not None:
            self.log.add(event)
        match event:
            case OutputFile():
                self.writer.begin(event)
            case OutputChunk():
                self.writer.write(event)
            case PreviewFrame():
                if self.previews is not None:
                    self.previews.add(event)
        self.display.show(event)


async def until_terminated(job: Coroutine[object, object, _T]) -> _T:
    """What a job gives, cancelled in an orderly way by SIGTERM too; Ctrl-C is asyncio's own business."""
    task = asyncio.current_task()
    assert task is not None
    terminated = asyncio.Event()

    def terminate() -> None:
        terminated.set()
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await job
    except asyncio.CancelledError:
        if terminated.is_set():
            raise Terminated from None
        if not task.cancelling():  # neither a signal nor Ctrl-C
            raise SessionConflict("Somebody else cancelled the job: start it again.") from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
