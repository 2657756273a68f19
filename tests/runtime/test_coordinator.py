"""Jobs over nodes of this process: the same frames wherever they ran, and whatever was lost on the way."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.workload import unroll
from eapg_split.errors import (
    CapacityExceeded,
    CorruptPayload,
    DeadlineExceeded,
    EapgError,
    InfeasiblePlan,
    InvalidRequest,
    NodeUnavailable,
    OutputFailure,
    Unsupported,
)
from eapg_split.planner import POLICIES, resolve
from eapg_split.planner.policy import Objective, PlanView
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.coordinator import Coordinator
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import JobDone, JobEvent, Notice, OutputChunk, OutputFile, PlanMade, StepDone
from eapg_split.runtime.handoff import HeldThere, Outgoing
from eapg_split.runtime.held import HeldStates
from eapg_split.runtime.job import Job
from eapg_split.runtime.jobs.home import JobFolder
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.observed import LinkBelieved, NodeDescribed, NodeLost, Observed, TelemetryHeard
from eapg_split.runtime.output import open_output, read_output
from eapg_split.runtime.peer import Emit, NodeDescription, Peer, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.sink import VideoFormat
from tests.nodes import SMALL, STEPS, toy_worker
from tests.toy_engine import open_slow_engine
from tests.toy_networks import ToyNetworks


class RawSink:
    """Writes frames as they are; `full` is how many fit."""

    def __init__(self, folder: Path, full: int | None = None) -> None:
        self._path = folder / "video.rgb"
        self._full = full
        self._frames: list[bytes] = []

    def write(self, frame: NDArray[np.uint8]) -> None:
        if self._full == len(self._frames):
            raise OSError(28, "No space left on device")
        self._frames.append(frame.tobytes())

    def finish(self) -> Sequence[Path]:
        self._path.write_bytes(b"".join(self._frames))
        return (self._path,)

    def abort(self) -> None:
        self._frames.clear()


def raw_sink(folder: Path, video: VideoFormat) -> RawSink:
    if video.suffix != ".rgb":
        raise InvalidRequest(f"Cannot write {video.suffix}.")
    return RawSink(folder)


class Watched(LoopbackPeer):
    """Notes what is sent; fails the first `failures` hand-offs with `error`."""

    def __init__(self, tier: Tier, *, failures: int = 0, error: EapgError | None = None) -> None:
        self.worker = toy_worker(tier, tier)
        super().__init__(self.worker)
        self.orders: list[SegmentOrder] = []
        self.states: list[Outgoing] = []
        self.prepared: list[SegmentOrder] = []
        self._failures = failures
        self._error = error or NodeUnavailable(f"Node {tier} is gone.", node_id=tier)

    async def prepare(self, order: SegmentOrder) -> None:
        self.prepared.append(order)
        await super().prepare(order)

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        self.orders.append(order)
        self.states.append(state)
        if len(self.orders) <= self._failures:
            raise self._error
        return await super().run(order, state, emit, recall=recall)


class Unforeseen(Watched):
    """Raises what is no error of ours: of its description, or of its segments."""

    def __init__(self, tier: Tier, *, describes: bool) -> None:
        super().__init__(tier)
        self._describes = describes

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        if not self._describes:
            raise ZeroDivisionError
        return await super().describe(brief=brief)

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        raise ZeroDivisionError


class Absent(Watched):
    async def describe(self, *, brief: bool = False) -> NodeDescription:
        raise NodeUnavailable(f"Node {self.name} cannot be reached.")


@dataclass
class Result:
    events: list[JobEvent]
    done: JobDone
    files: tuple[OutputFile, ...]
    data: bytes

    @property
    def notices(self) -> str:
        return " ".join(event.text for event in self.events if isinstance(event, Notice))

    @property
    def ran(self) -> list[tuple[str, int, int]]:
        return [(s.node, s.start_step, s.stop_step) for s in self.done.segments]


async def run_job(policy: str, *peers: Peer, codec: str = "lossless", request: Request = SMALL) -> Result:
    job = Job("j1", request, resolve(policy), codec, ".rgb", previews=False)
    return await run_prepared(job, *peers)


async def run_prepared(job: Job, *peers: Peer, engine: type[EapgPipeline] = EapgPipeline) -> Result:
    events: list[JobEvent] = []

    async def emit(event: JobEvent) -> None:
        events.append(event)

    worker = toy_worker("device", Tier.DEVICE, engine=lambda: engine(ToyNetworks(), kind="toy"))
    with tempfile.TemporaryDirectory() as name:
        folder = JobFolder(Path(name))
        async with open_output(raw_sink, job.video, folder) as output:
            done = await Coordinator(job, Cluster(worker, peers), output, emit=emit).run()
            files = await output.keep()
        pieces = [event async for event in read_output(folder, files)]
    assert worker.running_sessions == 0
    worker.thread.close()
    declared = tuple(event for event in pieces if isinstance(event, OutputFile))
    data = b"".join(event.data for event in pieces if isinstance(event, OutputChunk))
    return Result(events, done, declared, data)


@pytest.fixture(scope="module")
def sha() -> str:
    return asyncio.run(run_job("device-only")).done.frames_sha256


@pytest.mark.parametrize("privacy", Privacy)
@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_the_same_frames_wherever_they_are_computed(policy: str, privacy: Privacy, sha: str) -> None:
    edge, cloud = Watched(Tier.EDGE), Watched(Tier.CLOUD)
    result = await run_job(policy, edge, cloud, request=replace(SMALL, privacy=privacy))
    done = result.done
    assert done.frames_sha256 == sha
    assert [segment.start_step for segment in done.segments] + [STEPS] == [
        0,
        *(segment.stop_step for segment in done.segments),
    ]
    assert {event.step for event in result.events if isinstance(event, StepDone)} == set(range(STEPS))
    for peer in (edge, cloud):
        for order in (*peer.orders, *peer.prepared):
            assert order.request.prompt_withheld == (order.start_step > 0)
            assert privacy is Privacy.ANY or order.request.prompt == ""
    assert all(size > 0 for size in done.peak_rss_bytes.values())


async def test_the_record_and_the_file(sha: str) -> None:
    result = await run_job("pyramid", Watched(Tier.EDGE), Watched(Tier.CLOUD))
    done = result.done
    assert result.ran == [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)]
    assert [(hop.source, hop.target, hop.step) for hop in done.hops] == [
        ("device", "edge", 5),
        ("edge", "device", 7),
        ("device", "cloud", 7),
        ("cloud", "device", 9),
    ]
    assert all(0 < hop.wire_bytes <= hop.raw_bytes + 64 and hop.seconds >= 0 for hop in done.hops)
    assert [hop.start_s for hop in done.hops] == sorted(hop.start_s for hop in done.hops)
    assert all(0 < hop.bits_per_element < 34 and hop.sent == ("xbar",) for hop in done.hops)
    data = result.data
    assert result.files == (OutputFile("", len(data), hashlib.sha256(data).hexdigest()),)
    assert len(data) == done.frames * SMALL.width * SMALL.height * 3
    assert (done.width, done.height, done.fps, done.seed) == (
        SMALL.width,
        SMALL.height,
        SMALL.fps,
        SMALL.seed,
    )


async def test_remote_nodes_load_their_weights_while_the_device_computes() -> None:
    edge, cloud = Watched(Tier.EDGE), Watched(Tier.CLOUD)
    await run_job("pyramid", edge, cloud)
    assert [(order.start_step, order.stop_step) for order in (*edge.prepared, *cloud.prepared)] == [
        (5, 7),
        (7, 9),
    ]


async def test_a_lossy_payload_is_forwarded_as_it_came() -> None:
    edge, cloud = Watched(Tier.EDGE), Watched(Tier.CLOUD)
    done = (await run_job("pyramid", edge, cloud, codec="int8")).done
    assert {hop.codec for hop in done.hops} == {"int8"}
    assert done.hops[1].wire_bytes == done.hops[2].wire_bytes == cloud.states[0].body_bytes


class InTheMiddle:
    """A policy that cuts stage 3 and stage 4 in the middle and comes back to the edge."""

    name = "in-the-middle"

    def plan(self, view: PlanView) -> Plan:
        start, codec = view.start_step, view.objective.codec
        ends = [end for end in (5, 6, 7, 8, 9, STEPS) if end > start]
        nodes = {5: "device", 6: "edge", 7: "cloud", 8: "edge", 9: "cloud", STEPS: "device"}
        segments = [
            Segment(NodeId(nodes[end]), begin, end) for begin, end in zip([start, *ends], ends, strict=False)
        ]
        cuts = [Cut(segment.start_step, codec) for segment in segments if segment.start_step > 0]
        return Plan(tuple(segments), tuple(cuts))


class Forgetful(Watched):
    """Loses between two segments what it had."""

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        done = await super().run(order, state, emit, recall=recall)
        self._worker.serving.held = HeldStates(self._worker.setup.limits)
        return done


@pytest.mark.parametrize("codec", ["lossless", "int8"])
@pytest.mark.parametrize("kind", [Watched, Forgetful])
async def test_a_source_travels_once_to_each_node(codec: str, kind: type[Watched], sha: str) -> None:
    edge, cloud = Watched(Tier.EDGE), kind(Tier.CLOUD)
    job = Job("j1", SMALL, InTheMiddle(), codec, ".rgb", previews=False)
    done = (await run_prepared(job, edge, cloud)).done
    sent = [(hop.source, hop.target, hop.sent) for hop in done.hops]
    both = ("source", "xbar")
    # stage 4 starts from the result of stage 3, which the cloud computed: it has it unless the codec changed it
    assert sent == [
        ("device", "edge", ("xbar",)),
        ("edge", "device", ("xbar",)),
        ("device", "cloud", both),
        ("cloud", "device", ("xbar",)),
        ("device", "edge", ("xbar",)),
        ("edge", "device", ("xbar",)),
        ("device", "cloud", ("xbar",) if codec == "lossless" and kind is Watched else both),
        ("cloud", "device", ("xbar",)),
    ]
    named = [any(isinstance(item, HeldThere) for item in state.declaration.items) for state in cloud.states]
    assert named == ([False, True] if codec == "lossless" else [False, False]) + [False] * (len(named) - 2)
    if codec == "lossless":
        assert done.frames_sha256 == sha


@pytest.mark.parametrize(
    ("failures", "error", "ran"),
    [
        (1, None, [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)]),
        (
            2,
            CorruptPayload("Altered."),
            [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)],
        ),
        (9, None, [("device", 0, 5), ("cloud", 5, 9), ("device", 9, 10)]),
        (9, Unsupported("Never heard of it."), [("device", 0, 5), ("cloud", 5, 9), ("device", 9, 10)]),
    ],
)
async def test_a_lost_hand_off_is_repeated_and_a_lost_node_replaced(
    failures: int, error: EapgError | None, ran: list[tuple[str, int, int]], sha: str
) -> None:
    edge = Watched(Tier.EDGE, failures=failures, error=error)
    result = await run_job("pyramid", edge, Watched(Tier.CLOUD))
    assert result.ran == ran
    assert result.done.frames_sha256 == sha
    plans = [event.revision for event in result.events if isinstance(event, PlanMade)]
    assert plans == ([0] if failures < 3 else [0, 1])
    assert ("Going on without edge" in result.notices) == (failures > 3)


async def test_all_remote_nodes_lost(sha: str) -> None:
    result = await run_job("pyramid", Watched(Tier.EDGE, failures=9), Watched(Tier.CLOUD, failures=9))
    assert result.ran == [("device", 0, STEPS)]
    assert result.done.frames_sha256 == sha


@pytest.mark.parametrize("describes", [True, False])
async def test_what_nobody_foresaw_of_a_node_costs_the_node_only(describes: bool, sha: str) -> None:
    result = await run_job("pyramid", Unforeseen(Tier.EDGE, describes=describes), Watched(Tier.CLOUD))
    assert result.ran == [("device", 0, 5), ("cloud", 5, 9), ("device", 9, 10)]
    assert "ithout" in result.notices
    assert result.done.frames_sha256 == sha


async def test_nodes_that_cannot_be_reached_are_named(sha: str) -> None:
    result = await run_job("pyramid", Absent(Tier.EDGE), Watched(Tier.CLOUD))
    assert "edge" in result.notices
    assert result.done.frames_sha256 == sha
    with pytest.raises(InfeasiblePlan, match="Not reached: edge"):
        await run_job("edge-only", Absent(Tier.EDGE), Watched(Tier.CLOUD))


async def test_nodes_with_other_weights_or_a_taken_name_are_left_out(sha: str) -> None:
    class Stranger(Watched):
        async def describe(self, *, brief: bool = False) -> NodeDescription:
            return replace(await super().describe(brief=brief), fingerprint="0" * 64)

    other = LoopbackPeer(toy_worker("other", Tier.DEVICE))
    for peer, why in (
        (Stranger(Tier.EDGE), "same version"),
        (Watched(Tier.CLOUD), "Two nodes"),
        (other, "device node"),
    ):
        result = await run_job("pyramid", Watched(Tier.CLOUD), peer)
        assert why in result.notices
        assert result.ran == [("device", 0, 5), ("cloud", 5, 9), ("device", 9, 10)]
        assert result.done.frames_sha256 == sha


async def test_what_cannot_be_written_is_said_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    with pytest.raises(InvalidRequest, match="Cannot write"):
        await run_prepared(Job("j1", SMALL, resolve("device-only"), "lossless", ".mp3"))
    job = Job("j1", SMALL, resolve("device-only"), "lossless", ".rgb")

    async def emit(event: JobEvent) -> None:
        del event

    worker = toy_worker("device", Tier.DEVICE)
    with pytest.raises(OutputFailure, match="No space left"):
        async with open_output(
            lambda folder, video: RawSink(folder, full=2), job.video, JobFolder(tmp_path)
        ) as output:
            await Coordinator(job, Cluster(worker, ()), output, emit=emit).run()
    assert os.listdir(tmp_path) == []


async def test_a_deadline_ends_a_job(tmp_path: Path) -> None:
    worker = toy_worker("device", Tier.DEVICE, engine=lambda: open_slow_engine("toy"))
    job = Job("j1", SMALL, resolve("device-only"), "lossless", ".rgb", deadline=Deadline.after(0.3))

    async def emit(event: JobEvent) -> None:
        del event

    with pytest.raises(DeadlineExceeded):
        async with open_output(raw_sink, job.video, JobFolder(tmp_path)) as output:
            await Coordinator(job, Cluster(worker, ()), output, emit=emit).run()
    assert worker.running_sessions == 0


async def test_a_full_node_is_waited_for_where_nobody_else_can(sha: str) -> None:
    full = CapacityExceeded("Node edge is full.", node_id="edge", retry_after_s=0.3)
    edge = Watched(Tier.EDGE, failures=2, error=full)
    began_s = asyncio.get_running_loop().time()
    wishes = Objective(pins={"stage3": NodeId("edge")})
    job = Job("j1", SMALL, resolve("edge-only"), "lossless", ".rgb", wishes=wishes)
    result = await run_prepared(job, edge)
    assert asyncio.get_running_loop().time() - began_s >= 0.6
    assert result.done.frames_sha256 == sha
    assert [order.attempt for order in edge.orders] == [1, 1, 1]
    assert result.notices.count("waiting for one of them") == 2
    assert "Going on without" not in result.notices


async def test_others_do_the_work_of_a_full_node_meanwhile(sha: str) -> None:
    full = CapacityExceeded("Node edge is full.", node_id="edge", retry_after_s=60.0)
    edge, cloud = Watched(Tier.EDGE, failures=9, error=full), Watched(Tier.CLOUD)
    result = await run_job("pyramid", edge, cloud)
    assert result.done.frames_sha256 == sha
    assert (len(edge.orders), len(cloud.orders)) == (1, 1)


async def test_a_node_that_drains_is_left_out_from_the_start(sha: str) -> None:
    edge, cloud = Watched(Tier.EDGE), Watched(Tier.CLOUD)
    edge.worker.drain()
    result = await run_job("pyramid", edge, cloud)
    assert result.done.frames_sha256 == sha
    assert (len(edge.orders), len(cloud.orders)) == (0, 1)
    assert "Node edge drains" in result.notices


async def test_what_a_job_sees_is_told_where_it_is_wanted() -> None:
    job = Job("j1", SMALL, resolve("pyramid"), "lossless", ".rgb", observed=True)
    edge = Watched(Tier.EDGE, failures=9, error=NodeUnavailable("Node edge is gone.", node_id="edge"))
    result = await run_prepared(job, edge, Watched(Tier.CLOUD))
    described = [event for event in result.events if isinstance(event, NodeDescribed)]
    assert {event.node for event in described} == {"device", "edge", "cloud"}
    stages = tuple(stage.name for stage in unroll(SMALL).stages)
    assert all(tuple(each.stage for each in event.stages) == stages for event in described)
    assert all(each.step_s > 0 for event in described for each in event.stages)
    believed = {(each.source, each.target) for each in result.events if isinstance(each, LinkBelieved)}
    assert len(believed) == 6
    assert [event.node for event in result.events if isinstance(event, NodeLost)] == ["edge"]
    assert any(isinstance(event, TelemetryHeard) for event in result.events)
    plain = await run_job("pyramid", Watched(Tier.EDGE), Watched(Tier.CLOUD))
    assert not any(isinstance(event, get_args(Observed)) for event in plain.events)
