"""Real daemons that are killed inside their segments: at most one step is computed twice, and the video is the same."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

import pytest

from eapg_split.domain.request import Request
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import LocalTopology, local_topology
from eapg_split.runtime.events import CheckpointKept, JobDone, JobEvent, PlanMade, StepDone
from tests.cluster.test_daemons import wait_idle

pytestmark = pytest.mark.cluster

SLOW = "tests.toy_engine:open_slow_engine"
REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 6, 6))
PNG = JobOptions(policy="pyramid", suffix="", checkpoints=Checkpoints.ALWAYS)


@dataclass
class Run:
    events: list[JobEvent] = field(default_factory=list)

    @property
    def done(self) -> JobDone:
        assert isinstance(self.events[-1], JobDone)
        return self.events[-1]

    @property
    def steps(self) -> Counter[int]:
        """How often each step was finished."""
        return Counter(event.step for event in self.events if isinstance(event, StepDone))

    @property
    def twice(self) -> list[int]:
        return [step for step, count in self.steps.items() if count > 1]


async def run(
    topology: LocalTopology,
    options: JobOptions = PNG,
    *,
    meanwhile: Callable[[JobEvent], None] = lambda event: None,
) -> Run:
    result = Run()
    async with asyncio.timeout(60), aclosing(generate(topology.device_address, REQUEST, options)) as events:
        async for event in events:
            result.events.append(event)
            meanwhile(event)
    return result


@pytest.mark.parametrize("kept", [True, False])
async def test_a_node_that_is_killed_inside_its_segment_costs_one_step(kept: bool) -> None:
    """The state after the step before that is at home when the next one is done."""
    options = PNG if kept else replace(PNG, checkpoints=Checkpoints.NEVER)
    async with local_topology(engine=SLOW) as topology:
        calm = await run(topology, options)
        edge = topology.nodes["edge"].pid

        def kill(event: JobEvent) -> None:
            if isinstance(event, StepDone) and (event.step, event.node) == (8, "edge"):
                os.kill(edge, signal.SIGKILL)

        lost = await run(topology, options, meanwhile=kill)
    assert lost.done.frames_sha256 == calm.done.frames_sha256
    assert calm.twice == []
    assert set(lost.steps) == set(range(18))
    came = [event for event in lost.events if isinstance(event, CheckpointKept)]
    if not kept:
        assert lost.twice == [5, 6, 7, 8]
        assert not came
        return
    assert len(lost.twice) <= 1
    assert calm.done.checkpoints in (5 + 5, 5 + 1 + 5), "also between the two, where the edge hands on itself"
    assert calm.done.checkpoint_bytes > 0
    first, second = [event for event in lost.events if isinstance(event, PlanMade)]
    assert second.segments[0].start_step in (8, 9)
    assert [(s.node, s.start_step) for s in lost.done.segments] == [
        ("device", 0),
        ("edge", 5),
        ("cloud", second.segments[0].start_step),
        ("device", 17),
    ]
    assert first.revision + 1 == second.revision


async def test_a_node_that_hangs_is_found_by_its_silence_and_does_no_harm_later() -> None:
    """It has its connections still; what it says when it goes on again is of no interest to anybody."""
    stopped_s = went_on_s = 0.0
    async with local_topology(engine=SLOW) as topology:
        calm = await run(topology)
        edge = topology.nodes["edge"]

        def stop(event: JobEvent) -> None:
            nonlocal stopped_s, went_on_s
            if isinstance(event, StepDone) and (event.step, event.node) == (8, "edge"):
                os.kill(edge.pid, signal.SIGSTOP)
                stopped_s = time.monotonic()
            elif stopped_s and not went_on_s and isinstance(event, PlanMade):
                went_on_s = time.monotonic()

        try:
            hung = await run(topology, meanwhile=stop)
        finally:
            os.kill(edge.pid, signal.SIGCONT)
        assert hung.done.frames_sha256 == calm.done.frames_sha256
        assert len(hung.twice) <= 1
        assert went_on_s - stopped_s < 10, (
            "3 heartbeats of 1 s, a question of 1 s, and what a busy machine takes"
        )
        again = await run(topology)
        assert again.done.frames_sha256 == calm.done.frames_sha256
        assert "edge" in {segment.node for segment in again.done.segments}
        await wait_idle(topology)


@pytest.mark.parametrize("victim", ["edge", "cloud"])
async def test_either_node_of_a_state_that_was_handed_on_may_die(victim: str) -> None:
    """While the further one computes: its states come home past the one that handed on."""
    async with local_topology(engine=SLOW, other_options=()) as topology:
        calm = await run(topology)
        pid = topology.nodes[victim].pid

        def kill(event: JobEvent) -> None:
            if isinstance(event, StepDone) and (event.step, event.node) == (14, "cloud"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        lost = await run(topology, meanwhile=kill)
    assert lost.done.frames_sha256 == calm.done.frames_sha256
    assert set(lost.steps) == set(range(18))
    assert len(lost.twice) <= 1
