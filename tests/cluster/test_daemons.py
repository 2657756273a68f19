"""Real daemons on loopback: the same video wherever it is computed, and after a node was killed."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from eapg_split.domain.request import Privacy, Request
from eapg_split.errors import CapacityExceeded, EapgError, InvalidRequest, NodeUnavailable
from eapg_split.rpc.job_client import JobOptions, cancel, describe, generate, list_jobs
from eapg_split.rpc.local_topology import LocalTopology, local_topology
from eapg_split.runtime.events import (
    JobDone,
    JobEvent,
    Notice,
    OutputChunk,
    OutputFile,
    PlanMade,
    PreviewFrame,
    StepDone,
)
from eapg_split.runtime.settings import PeerAddress
from tests.nodes import undivided_sha

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2))
PNG = JobOptions(policy="pyramid", suffix="")
SLOW = "tests.toy_engine:open_slow_engine"
FAST = "tests.toy_engine:open_engine"


async def run_job(address: str, options: JobOptions = PNG, request: Request = REQUEST) -> list[JobEvent]:
    async with asyncio.timeout(30), aclosing(generate(address, request, options)) as events:
        return [event async for event in events]


def done_of(events: list[JobEvent]) -> JobDone:
    assert isinstance(events[-1], JobDone)
    return events[-1]


async def sessions_at(topology: LocalTopology) -> int:
    """Segments in flight on any node that lives, and jobs on the device."""
    count = len(await list_jobs(topology.device_address))
    for node in topology.nodes.values():
        with contextlib.suppress(NodeUnavailable):
            count += (await describe(PeerAddress(node.node, node.address))).running_sessions
    return count


async def wait_idle(topology: LocalTopology) -> None:
    async with asyncio.timeout(10):
        while await sessions_at(topology):  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def sha() -> str:
    return undivided_sha(REQUEST)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fast() -> AsyncIterator[LocalTopology]:
    async with local_topology(engine=FAST) as topology:
        yield topology


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow() -> AsyncIterator[LocalTopology]:
    """Shared: whoever uses it leaves it whole."""
    async with local_topology(engine=SLOW) as topology:
        yield topology


async def test_the_same_video_under_every_policy(fast: LocalTopology, sha: str) -> None:
    for policy, privacy in (
        ("pyramid", Privacy.PROMPT_LOCAL),
        ("device-only", Privacy.PROMPT_LOCAL),
        ("edge-only", Privacy.PROMPT_LOCAL),
        ("cloud-only", Privacy.PROMPT_LOCAL),
        ("cloud-only", Privacy.ANY),
    ):
        request = replace(REQUEST, privacy=privacy)
        events = await run_job(fast.device_address, replace(PNG, policy=policy), request)
        done = done_of(events)
        assert done.frames_sha256 == sha, policy
        files = [event for event in events if isinstance(event, OutputFile)]
        data = sum(len(event.data) for event in events if isinstance(event, OutputChunk))
        assert len(files) == done.frames
        assert sum(event.size_bytes for event in files) == data
        assert {event.step for event in events if isinstance(event, StepDone)} == set(range(10))
        remote = {segment.node for segment in done.segments} - {"device"}
        assert {hop.target for hop in done.hops} - {"device"} == remote
        assert set(done.peak_rss_bytes) == remote | {"device"}
    await wait_idle(fast)
    heavy = {"torch", "onnxruntime"}
    for node in fast.nodes.values():
        mapped = {Path(each.path).name for each in psutil.Process(node.pid).memory_maps()}
        assert not any(name in library for library in mapped for name in heavy)


async def test_previews_and_questions(fast: LocalTopology) -> None:
    events = await run_job(fast.device_address, replace(PNG, previews=True, codec="int8"))
    previews = [event for event in events if isinstance(event, PreviewFrame)]
    assert {preview.stage for preview in previews} == {"stage1", "stage2", "stage3", "stage4"}
    assert {hop.codec for hop in done_of(events).hops} == {"int8"}
    assert not await cancel(fast.device_address, "nobody")
    assert await list_jobs(fast.device_address) == ()
    for options, error in (
        (replace(PNG, codec="mp3"), InvalidRequest),
        (replace(PNG, policy="magic"), InvalidRequest),
        (replace(PNG, suffix=".avi"), InvalidRequest),
        (replace(PNG, peers=(PeerAddress("edge", "@/etc/passwd"),)), InvalidRequest),
        (replace(PNG, peers=(PeerAddress("edge", "10.0.0.1:7001"),)), InvalidRequest),
    ):
        with pytest.raises(error):
            await run_job(fast.device_address, options)
    nobody = replace(PNG, peers=(PeerAddress("nobody", "127.0.0.1:1"),))
    events = await run_job(fast.device_address, nobody)
    assert ["nobody" in event.text for event in events if isinstance(event, Notice)] == [True]
    with pytest.raises(EapgError, match="nobody"):
        await run_job(fast.device_address, replace(nobody, policy="cloud-only"))


async def test_a_node_that_dies_costs_its_segment_only(sha: str) -> None:
    events: list[JobEvent] = []
    async with local_topology(engine=SLOW) as topology:
        async with asyncio.timeout(30), aclosing(generate(topology.device_address, REQUEST, PNG)) as stream:
            async for event in stream:
                events.append(event)
                if isinstance(event, StepDone) and event.step == 5 and event.node == "edge":
                    os.kill(topology.nodes[event.node].pid, signal.SIGKILL)
        await wait_idle(topology)
    done = done_of(events)
    assert done.frames_sha256 == sha
    ran = [(segment.node, segment.start_step) for segment in done.segments]
    # the state before step 6 may be home before the news of step 5 is here
    home = [("edge", 5)] if ("edge", 5) in ran else []
    assert ran == [("device", 0), *home, ("cloud", 5 + len(home)), ("device", 9)]
    assert [event.revision for event in events if isinstance(event, PlanMade)] == [0, 1]
    assert any("edge" in event.text for event in events if isinstance(event, Notice))


@pytest.mark.parametrize("node", ["device", "edge"])
@pytest.mark.parametrize("way", ["leave", "ask"])
async def test_a_cancelled_job_leaves_nothing(slow: LocalTopology, node: str, way: str) -> None:
    """In the middle of a local or a remote segment, by a client that leaves or one that asks for it."""
    session = ""
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.timeout(30), aclosing(generate(slow.device_address, REQUEST, PNG)) as events:
            async for event in events:
                if isinstance(event, PlanMade):
                    session = event.session
                if isinstance(event, StepDone) and event.node == node:
                    if way == "leave":
                        break
                    assert await cancel(slow.device_address, session)
            else:
                raise AssertionError("the job went on to its end")
    await wait_idle(slow)
    assert done_of(await run_job(slow.device_address)).frames > 0


async def test_a_device_takes_so_many_jobs(tmp_path: Path) -> None:
    config = tmp_path / "device.toml"
    config.write_text("[limits]\nsessions = 1\nqueued_jobs = 1\n")
    async with local_topology(engine=SLOW, device_options=("--config", str(config))) as topology:
        jobs = [asyncio.create_task(run_job(topology.device_address)) for _ in range(2)]
        async with asyncio.timeout(10):
            while len(await list_jobs(topology.device_address)) < 2:  # noqa: ASYNC110  # nothing tells us
                await asyncio.sleep(0.01)
        with pytest.raises(CapacityExceeded, match="2 jobs"):
            await run_job(topology.device_address)
        first, second = await asyncio.gather(*jobs)
        waited = [
            any("Waiting for its turn" in event.text for event in events if isinstance(event, Notice))
            for events in (first, second)
        ]
        assert sorted(waited) == [False, True]
        assert done_of(first).frames_sha256 == done_of(second).frames_sha256
