"""Runs one job from the person's side: daemons up, job accepted, events shown, file in place, daemons down."""

import asyncio
import signal
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import typer

from eapg_split.cli.connect import GenerateOptions, open_events
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


def run(options: GenerateOptions) -> None:
    """Blocks until the file is in place. Raises an EapgError, KeyboardInterrupt or Terminated otherwise."""
    started = time.perf_counter()
    _check(options)
    workload = unroll(options.request)
    reading = complete_prompt(options.request.prompt, options.request.seed)
    with (
        OutputWriter(options.output) as writer,
        _open_display(workload) as display,
        _open_log(options, workload, reading, display) as log,
    ):
        display.say(reading.sentence())
        done, steps = asyncio.run(_until_terminated(_Job(options, writer, display, log)))
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


class _Job:
    """One job's events, each to where it belongs."""

    def __init__(
        self, options: GenerateOptions, writer: OutputWriter, display: Display, log: LogWriter | None
    ) -> None:
        self._options = options
        self._writer = writer
        self._display = display
        self._log = log
        self._previews: PreviewWriter | None = None
        if options.preview is not None:
            self._previews = PreviewWriter(options.preview, options.request.seconds)
        self._steps = StepLog()
        self._done: JobDone | None = None

    async def execute(self) -> tuple[JobDone, StepLog]:
        """The job from start to end; leaving it early cancels the job on every node."""
        try:
            async with open_events(self._options) as events:
                async for event in events:
                    self._take(event)
        finally:
            if self._previews is not None:
                self._previews.abort()
        if self._done is None:
            raise NodeUnavailable("The device ended the job without a result: see its log, and try again.")
        return self._done, self._steps

    def _take(self, event: JobEvent) -> None:
        if self._log is not None:
            self._log.add(event)
        match event:
            case OutputFile():
                self._writer.begin(event)
            case OutputChunk():
                self._writer.write(event)
            case PreviewFrame():
                if self._previews is not None:
                    self._previews.add(event)
            case JobDone():
                self._done = event
            case StepDone():
                self._steps.add(event)
        self._display.show(event)


async def _until_terminated(job: _Job) -> tuple[JobDone, StepLog]:
    """The job, cancelled in an orderly way by SIGTERM too; Ctrl-C is asyncio's own business."""
    task = asyncio.current_task()
    assert task is not None
    terminated = asyncio.Event()

    def terminate() -> None:
        terminated.set()
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await job.execute()
    except asyncio.CancelledError:
        if terminated.is_set():
            raise Terminated from None
        if not task.cancelling():  # neither a signal nor Ctrl-C
            raise SessionConflict("Somebody else cancelled the job: start it again.") from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
