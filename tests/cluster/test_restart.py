"""The device's daemon dies and is started again: accepted jobs go on, and half a video is never taken for one."""

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.rpc.job_client import JobOptions, attach, list_jobs, submit
from eapg_split.runtime.events import JobDone, JobEvent, Notice, OutputChunk, OutputFile, StepDone
from eapg_split.runtime.jobs.ticket import JobState
from tests.toy_engine import open_engine

pytestmark = pytest.mark.cluster

REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2))
SLOW = "tests.toy_engine:open_slow_engine"


@dataclass
class Device:
    """A device's daemon that can be killed and started again at the same address, with the same state."""

    folder: Path
    flags: tuple[str, ...] = ()
    engine: str = SLOW
    address: str = "127.0.0.1:0"
    process: "subprocess.Popen[bytes] | None" = None
    said: list[str] = field(default_factory=list)

    async def start(self) -> None:
        command = [
            sys.executable, "-m", "device_node", "--engine", self.engine, "--listen", self.address,
            "--state", str(self.folder / "state"), *self.flags,
        ]  # fmt: skip
        with (self.folder / "device.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)  # noqa: ASYNC220  # at once
        assert self.process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), 30)
        self.address = json.loads(line)["address"]

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.communicate(timeout=30)

    def log(self) -> str:
        return (self.folder / "device.log").read_text()

    @property
    def jobs(self) -> Path:
        return self.folder / "state" / "jobs"


@asynccontextmanager
async def device(folder: Path, *flags: str, engine: str = SLOW) -> AsyncIterator[Device]:
    found = Device(folder, flags, engine)
    await found.start()
    try:
        yield found
    finally:
        assert found.process is not None
        if found.process.poll() is None:
            found.end()


@pytest.fixture(scope="module")
def sha() -> str:
    """Of the undivided run, in this process, without any daemon."""
    engine = open_engine("toy")
    workload = engine.unroll(REQUEST)
    state = Latent()
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
    digest = hashlib.sha256()
    for frame in engine.decode(workload, state):
        digest.update(frame.tobytes())
    return digest.hexdigest()


async def fetched(address: str, session: str) -> list[JobEvent]:
    async with asyncio.timeout(60), aclosing(attach(address, session)) as events:
        return [event async for event in events]


def done_of(events: list[JobEvent]) -> JobDone:
    assert isinstance(events[-1], JobDone)
    return events[-1]


async def reached(address: str, session: str, when: Callable[[JobEvent], bool]) -> None:
    async with asyncio.timeout(60), aclosing(attach(address, session)) as events:
        async for event in events:
            if when(event):
                return
    raise AssertionError("the job ended before")


async def test_a_job_on_the_device_goes_on(tmp_path: Path, sha: str) -> None:
    async with device(tmp_path) as node:
        session = await submit(node.address, REQUEST, JobOptions(policy="device-only", suffix=""))
        await reached(node.address, session, lambda event: isinstance(event, StepDone) and event.step == 5)
        node.end()
        await node.start()
        (job,) = await list_jobs(node.address)
        assert (job.session, job.state) == (session, JobState.RUNNING)
        events = await fetched(node.address, session)
        done = done_of(events)
        assert (done.session, done.frames_sha256) == (session, sha)
        assert [(part.start_step, part.stop_step) for part in done.segments] == [(0, 10)]
        notices = [event.text for event in events if isinstance(event, Notice)]
        assert any("started again: going on from step" in text for text in notices)
        steps = [event.step for event in events if isinstance(event, StepDone)]
        assert len(steps) <= 12, steps  # the one that was killed, and one whose checkpoint was on its way
        files = [event for event in events if isinstance(event, OutputFile)]
        data = b"".join(event.data for event in events if isinstance(event, OutputChunk))
        assert len(files) == done.frames
        assert hashlib.sha256(data[: files[0].size_bytes]).hexdigest() == files[0].sha256
