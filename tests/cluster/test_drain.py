"""Daemons that are asked to stop: what runs there is handed back, others go on with it, the process ends quietly."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil
import pytest

from eapg_split.domain.request import Request
from eapg_split.errors import NodeUnavailable
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import Accepted, JobDone, JobEvent, SegmentEvent, StepDone
from eapg_split.runtime.handoff import Outgoing, Ready
from eapg_split.runtime.settings import PeerAddress
from tests.daemons import daemon
from tests.nodes import coded, ignore, order, state_of, undivided, undivided_sha, until

pytestmark = pytest.mark.cluster

SLOW = "tests.toy_engine:open_slow_engine"
REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 6, 2))


@pytest.mark.parametrize(("policy", "heir"), [("pyramid", "cloud"), ("edge-only", "device")])
async def test_a_job_moves_off_a_node_that_stops(policy: str, heir: str) -> None:
    """At the next step boundary: no step is computed twice."""
    events: list[JobEvent] = []
    options = JobOptions(policy=policy, suffix="")
    async with local_topology(engine=SLOW) as topology:
        edge = psutil.Process(topology.nodes["edge"].pid)
        async with asyncio.timeout(60), aclosing(generate(topology.device_address, REQUEST, options)) as job:
            async for event in job:
                events.append(event)
                if isinstance(event, StepDone) and event.step == 5:
                    assert event.node == "edge"
                    os.kill(edge.pid, signal.SIGTERM)
        await until(lambda: not edge.is_running() or edge.status() == psutil.STATUS_ZOMBIE)
    done = events[-1]
    assert isinstance(done, JobDone)
    assert done.frames_sha256 == undivided_sha(REQUEST)
    steps = [event.step for event in events if isinstance(event, StepDone)]
    assert steps == list(range(14))
    (there,) = [segment for segment in done.segments if segment.node == "edge"]
    assert there.start_step == 5
    assert there.stop_step < 11
    after = next(segment for segment in done.segments if segment.start_step == there.stop_step)
    assert after.node == heir


@asynccontextmanager
async def peer_of(*flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, GrpcPeer]]:
    async with daemon(*flags, engine=SLOW) as (process, address):
        peer = GrpcPeer(PeerAddress("edge", address))
        try:
            yield process, peer
        finally:
            await peer.close()


async def test_a_node_that_stops_says_so_and_takes_nothing_new() -> None:
    state = undivided(5)
    async with peer_of() as (process, peer), holding(peer) as held, asyncio.timeout(40):

        async def stop(event: SegmentEvent) -> None:
            if isinstance(event, Accepted):
                process.terminate()

        async with aclosing(peer.telemetry(0.1)) as looks:
            assert not (await anext(looks)).draining
            done = await peer.run(order(5, 9), coded(state), stop)
            assert 5 < done.stop_step < 9
            assert state_of(done, state) == undivided(done.stop_step)
            while not (await anext(looks)).draining:
                pass
            assert (await peer.describe()).draining
            with pytest.raises(NodeUnavailable, match="drains"):
                await peer.prepare(order(5, 9, session="s2"))
            with pytest.raises(NodeUnavailable, match="drains"):
                await peer.run(order(5, 9, session="s2"), coded(state), ignore)
        held.cancel()
        _, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")


@asynccontextmanager
async def holding(peer: GrpcPeer) -> AsyncIterator["asyncio.Task[object]"]:
    """A segment whose state does not come: a node that drains waits for it."""
    began = asyncio.Event()

    class Stuck(Outgoing):
        async def batches(self, first: int = 0, *, most: int = 1) -> AsyncGenerator[tuple[Ready, ...], None]:
            began.set()
            await asyncio.Event().wait()
            yield ()

    stuck = Stuck(coded(undivided(5)).declaration.coded, [])
    task = asyncio.create_task(peer.run(order(5, 9, session="stuck"), stuck, ignore))
    await began.wait()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_does_not_end_in_time_is_broken_off(tmp_path: Path) -> None:
    config = tmp_path / "edge.toml"
    config.write_text("drain_s = 0.02\n", encoding="utf-8")
    async with peer_of("--config", str(config)) as (process, peer), asyncio.timeout(40):

        async def stop(event: SegmentEvent) -> None:
            if isinstance(event, Accepted):
                process.terminate()  # a step takes longer than the drain

        with pytest.raises(NodeUnavailable):
            await peer.run(order(5, 9), coded(undivided(5)), stop)
        _, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
