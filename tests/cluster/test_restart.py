"""The device's daemon dies and is started again: accepted jobs go on, and half a video is never taken for one."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eapg_split.domain.request import Request
from eapg_split.errors import NodeUnavailable, SessionConflict, SessionNotFound
from eapg_split.rpc.job_client import JobOptions, attach, cancel, forget, generate, list_jobs, submit
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import (
    FrameDone,
    JobDone,
    JobEvent,
    Notice,
    OutputChunk,
    OutputFile,
    PlanMade,
    StepDone,
)
from eapg_split.runtime.jobs.ticket import JobState
from eapg_split.runtime.settings import PeerAddress
from tests.nodes import undivided_sha, until
from tests.toy_engine import GATE

pytestmark = pytest.mark.cluster

REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2))
ON_DEVICE = JobOptions(policy="device-only", suffix="")
FAST = "tests.toy_engine:open_engine"
SLOW = "tests.toy_engine:open_slow_engine"
GATED = "tests.toy_engine:open_gated_decoder"


@dataclass
class Device:
    """A device's daemon that can be killed and started again at the same address, with the same state."""

    folder: Path
    flags: tuple[str, ...] = ()
    engine: str = SLOW
    variables: Mapping[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1:0"
    process: "subprocess.Popen[bytes] | None" = None

    async def start(self) -> None:
        command = [
            sys.executable, "-m", "device_node", "--engine", self.engine, "--listen", self.address,
            "--state", str(self.folder / "state"), *self.flags,
        ]  # fmt: skip
        with (self.folder / "device.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220  # it is there at once
                command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **self.variables}
            )
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
async def device(
    folder: Path, *flags: str, engine: str = SLOW, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Device]:
    found = Device(folder, flags, engine, variables or {})
    await found.start()
    try:
        yield found
    finally:
        assert found.process is not None
        if found.process.poll() is None:
            found.end()


@pytest.fixture(scope="module")
def sha() -> str:
    return undivided_sha(REQUEST)


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


def notices(events: list[JobEvent]) -> str:
    return " ".join(event.text for event in events if isinstance(event, Notice))


def is_step(number: int) -> Callable[[JobEvent], bool]:
    return lambda event: isinstance(event, StepDone) and event.step == number


def check_files(events: list[JobEvent]) -> None:
    """Every byte that was declared came, and no other."""
    files = [event for event in events if isinstance(event, OutputFile)]
    data = b"".join(event.data for event in events if isinstance(event, OutputChunk))
    assert len(files) == done_of(events).frames
    for file in files:
        body, data = data[: file.size_bytes], data[file.size_bytes :]
        assert hashlib.sha256(body).hexdigest() == file.sha256
    assert data == b""


async def test_a_job_on_the_device_goes_on(tmp_path: Path, sha: str) -> None:
    async with device(tmp_path) as node:
        session = await submit(node.address, REQUEST, ON_DEVICE)
        await reached(node.address, session, is_step(5))
        await until(lambda: any((node.jobs / session).glob("step-*.safetensors")))
        node.end()
        await node.start()
        (job,) = await list_jobs(node.address)
        assert (job.session, job.state) == (session, JobState.RUNNING)
        events = await fetched(node.address, session)
        done = done_of(events)
        assert (done.session, done.frames_sha256, done.seed) == (session, sha, REQUEST.seed)
        assert [(part.start_step, part.stop_step) for part in done.segments] == [(0, 10)]
        found = re.search(r"started again: going on from step (\d+) of 10", notices(events))
        assert found is not None
        assert int(found[1]) > 0
        revisions = [event.revision for event in events if isinstance(event, PlanMade)]
        assert revisions == [0, 1]
        steps = [event.step for event in events if isinstance(event, StepDone)]
        assert steps[-(10 - int(found[1])) :] == list(range(int(found[1]), 10))
        assert steps[: -(10 - int(found[1]))] == list(range(len(steps) - 10 + int(found[1])))
        check_files(events)
        again = await fetched(node.address, session)
        assert [event for event in events if not isinstance(event, FrameDone)] == again
        assert sorted(each.name for each in (node.jobs / session).iterdir()) == ["output"]


async def test_a_job_on_other_nodes_goes_on_and_so_does_who_listens(tmp_path: Path, sha: str) -> None:
    """The device is killed while the edge computes; `generate` never notices more than a notice."""
    async with local_topology(engine=SLOW) as topology, device(tmp_path) as node:
        peers = tuple(PeerAddress(name, topology.nodes[name].address) for name in ("edge", "cloud"))
        options = JobOptions(policy="pyramid", suffix="", peers=peers)
        events: list[JobEvent] = []
        killed = False
        async with (
            asyncio.timeout(60),
            aclosing(generate(node.address, REQUEST, options, reattach_s=50)) as stream,
        ):
            async for event in stream:
                events.append(event)
                if is_step(5)(event) and not killed:
                    killed = True
                    node.end()
                    await node.start()
        done = done_of(events)
        assert done.frames_sha256 == sha
        assert {part.node for part in done.segments} == {"device", "edge", "cloud"}
        assert done.segments[0].start_step == 0
        assert done.segments[-1].stop_step == 10
        assert "going on from step 5" in notices(events) or "going on from step 6" in notices(events)
        assert sum(is_step(0)(event) for event in events) == 1, "what the device had computed was not again"
        check_files(events)
        assert await list_jobs(node.address) == ()


async def test_half_a_video_is_never_taken_for_one(tmp_path: Path, sha: str) -> None:
    """Killed while it decodes, and with an output in place that was not declared."""
    gate = tmp_path / "gate"
    async with device(tmp_path, engine=GATED, variables={GATE: str(gate)}) as node:
        session = await submit(node.address, REQUEST, ON_DEVICE)
        await reached(node.address, session, lambda event: isinstance(event, FrameDone))
        folder = node.jobs / session
        # the one before goes when the journal has the newest one
        await until(lambda: [each.name for each in folder.glob("step-*")] == ["step-9.safetensors"])
        await until(lambda: any((folder / "part").iterdir()))
        node.end()
        assert not (folder / "output").exists()
        (folder / "part").rename(folder / "output")  # as if it was killed before the journal was told
        (folder / "step-9.safetensors.part").write_bytes(b"half a checkpoint")
        gate.touch()
        await node.start()
        events = await fetched(node.address, session)
        assert done_of(events).frames_sha256 == sha
        assert "going on from step 9" in notices(events)
        assert sum(isinstance(event, StepDone) for event in events) == 10
        check_files(events)


async def test_what_waits_waits_again_and_what_was_cancelled_stays_so(tmp_path: Path, sha: str) -> None:
    config = tmp_path / "device.toml"
    config.write_text("[limits]\nsessions = 1\n")
    async with device(tmp_path, "--config", str(config)) as node:
        first, second, third = [await submit(node.address, REQUEST, ON_DEVICE) for _ in range(3)]
        await reached(node.address, first, is_step(2))
        assert await cancel(node.address, first)
        assert not await cancel(node.address, first)
        assert await cancel(node.address, third)
        with pytest.raises(asyncio.CancelledError):
            await fetched(node.address, first)
        await reached(node.address, second, is_step(1))
        node.end()
        await node.start()
        (job,) = await list_jobs(node.address)
        assert job.session == second
        assert done_of(await fetched(node.address, second)).frames_sha256 == sha
        states = {job.session: job.state for job in await list_jobs(node.address, ended=True)}
        assert states == {first: JobState.CANCELLED, second: JobState.DONE, third: JobState.CANCELLED}
        await forget(node.address, first)
        with pytest.raises(SessionNotFound, match="jobs"):
            await forget(node.address, first)
        assert not (node.jobs / first).exists()


async def test_a_signal_keeps_what_has_not_ended(tmp_path: Path, sha: str) -> None:
    config = tmp_path / "device.toml"
    config.write_text("drain_s = 0.1\n")
    async with device(tmp_path, "--config", str(config)) as node:
        session = await submit(node.address, REQUEST, ON_DEVICE)

        async def stopped() -> None:
            async with asyncio.timeout(60), aclosing(attach(node.address, session)) as events:
                async for event in events:
                    if is_step(4)(event):
                        assert node.process is not None
                        node.process.terminate()

        with pytest.raises(NodeUnavailable, match=f"eapg-split attach {session}"):
            await stopped()
        node.end(signal.SIGTERM)
        await node.start()
        events = await fetched(node.address, session)
        assert done_of(events).frames_sha256 == sha
        assert sum(isinstance(event, StepDone) for event in events) <= 11


async def test_a_device_that_stays_away_is_given_up_and_the_job_is_not(tmp_path: Path, sha: str) -> None:
    async with device(tmp_path) as node:
        killed = False

        async def generated() -> None:
            nonlocal killed
            stream = generate(node.address, REQUEST, ON_DEVICE, reattach_s=0.5)
            async with asyncio.timeout(60), aclosing(stream) as events:
                async for event in events:
                    if is_step(2)(event) and not killed:
                        killed = True
                        node.end()

        with pytest.raises(
            NodeUnavailable, match=r"not heard for 0\.5 s.*eapg-split attach ([0-9a-f]{32})"
        ) as caught:
            await generated()
        found = re.search("[0-9a-f]{32}", str(caught.value))
        assert found is not None
        await node.start()
        async with asyncio.timeout(60), aclosing(attach(node.address, found[0], reattach_s=30)) as heard:
            assert done_of([event async for event in heard]).frames_sha256 == sha


async def test_a_damaged_journal_is_set_aside_once(tmp_path: Path, sha: str) -> None:
    async with device(tmp_path, engine=FAST) as node:
        await fetched(node.address, await submit(node.address, REQUEST, ON_DEVICE))
        node.end()
        for each in (tmp_path / "state").glob("jobs.sqlite*"):
            each.write_bytes(b"not a database" * 1000)
        await node.start()
        assert await list_jobs(node.address, ended=True) == ()
        assert "set aside" in node.log()
        session = await submit(node.address, REQUEST, ON_DEVICE)
        assert done_of(await fetched(node.address, session)).frames_sha256 == sha
        node.end()
        await node.start()
        assert [job.session for job in await list_jobs(node.address, ended=True)] == [session]
        assert node.log().count("set aside") == 1


async def test_the_command_line(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with device(tmp_path, engine=GATED, variables={GATE: str(gate)}) as node:
        nodes = tmp_path / "nodes.toml"
        nodes.write_text(f'[[nodes]]\nid = "device"\naddress = "{node.address}"\n')

        async def call(*words: str) -> tuple[int, str, str]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "eapg_split.cli", *words, "--nodes", str(nodes),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
            )  # fmt: skip
            out, err = await asyncio.wait_for(process.communicate(), 60)
            return process.returncode or 0, out.decode(), err.decode()

        small = ["--seconds", "0.5", "--fps", "8", "--width", "64", "--height", "64", "--steps", "2,2,2,2"]
        code, out, err = await call("generate", "A cat running", *small, "-o", "cat/", "--detach")
        assert (code, err) == (0, "")
        session = out.strip()
        code, out, _ = await call("jobs", "--json")
        (job,) = json.loads(out)
        assert (job["session"], job["prompt"], job["ended_s"]) == (session, "A cat running", None)
        code, out, err = await call("jobs", "--forget", session)
        assert (code, "cancel it first" in err) == (SessionConflict.exit_code, True)
        code, out, err = await call("attach", session, "-o", "cat.mp4")
        assert (code, "a folder of PNG" in err) == (2, True)
        gate.touch()
        code, out, err = await call("attach", session, "-o", "cat", "--json")
        assert code == 0, err
        assert len(list((tmp_path / "cat").iterdir())) == json.loads(out)["frames"]
        code, _, err = await call("cancel", session)
        assert (code, "nothing to cancel" in err) == (SessionConflict.exit_code, True)
        code, _, err = await call("cancel", "nobody")
        assert (code, "no job 'nobody'" in err) == (SessionNotFound.exit_code, True)
        code, out, _ = await call("jobs")
        assert session in out
        assert "done" in out
        assert (await call("jobs", "--forget", session))[0] == 0
        assert (await call("jobs"))[1].strip() == "no jobs"
