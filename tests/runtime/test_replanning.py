"""Plans that change while a job runs: the same frames, wherever a segment was handed back and whatever failed then."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest, NodeUnavailable
from eapg_split.planner import look_budget
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.look_budget import SHARE
from eapg_split.planner.policy import Objective, Occasion, PlanView, Revision, Trigger
from eapg_split.runtime.events import PlanMade, PlanReviewed, StepDone
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.job import Job
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.peer import Emit, Peer, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import Recall
from tests.nodes import SMALL, STEPS, grpc_peer, toy_worker
from tests.runtime.test_coordinator import Result, Watched, run_job, run_prepared
from tests.toy_engine import SlowPipeline, open_engine, open_slow_engine

LAST = STEPS - 1
PRIVATE = 5  # steps before it see the text


def staged(view: PlanView, nodes: dict[int, str]) -> Plan:
    """From `view.start_step` on, each step on its node, which is the device where none is named."""
    device, codec = view.topology.device.id, view.objective.codec
    segments: list[Segment] = []
    for step in range(view.start_step, view.workload.steps):
        node = NodeId(nodes.get(step, device))
        if step < PRIVATE or step == LAST or node in view.unavailable:
            node = device
        if segments and segments[-1].node == node:
            segments[-1] = Segment(node, segments[-1].start_step, step + 1)
        else:
            segments.append(Segment(node, step, step + 1))
    cuts = [Cut(segment.start_step, codec) for segment in segments[1:]]
    if view.start_step and segments[0].node != (view.at or device):
        cuts.insert(0, Cut(view.start_step, codec))
    return Plan(tuple(segments), tuple(cuts))


@dataclass
class Restless:
    """Wants everything on one node, and at every look on the next one of `nodes`."""

    nodes: tuple[str, ...] = ("edge", "cloud", "device")
    name: str = "restless"
    looks: list[Occasion] = field(default_factory=list)
    views: list[PlanView] = field(default_factory=list)

    def plan(self, view: PlanView) -> Plan:
        return staged(view, dict.fromkeys(range(STEPS), self.nodes[0]))

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        self.looks.append(occasion)
        self.views.append(view)
        node = self.nodes[len(self.looks) % len(self.nodes)]
        return Revision(staged(view, dict.fromkeys(range(STEPS), node)), f"It is the turn of {node}.")


@dataclass
class Once:
    """Goes over to `then` at the first look that reaches `step`."""

    first: dict[int, str]
    then: dict[int, str]
    step: int
    name: str = "once"
    done: bool = False

    def plan(self, view: PlanView) -> Plan:
        return staged(view, self.then if self.done else self.first)

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        if view.start_step < self.step or self.done:
            return Revision(None, "It is not time.")
        self.done = True
        return Revision(staged(view, self.then), "Now.")


def job(policy: object, codec: str = "lossless") -> Job:
    return Job("j1", SMALL, policy, codec, ".rgb")  # type: ignore[arg-type]


def whose_states_stay(job: Job) -> Job:
    """The job without states that come home on the way: a state that is home need not come again."""
    return replace(job, checkpoints=Checkpoints.NEVER)


@asynccontextmanager
async def peers(kind: str) -> AsyncIterator[list[Peer]]:
    async with AsyncExitStack() as stack:
        found: list[Peer] = []
        for tier in (Tier.EDGE, Tier.CLOUD):
            opened = open_slow_engine if kind == "grpc" else open_engine  # a recall takes its time on a wire
            worker = toy_worker(tier, tier, engine=partial(opened, "toy"))
            stack.callback(worker.thread.close)
            if kind == "grpc":
                found.append(await stack.enter_async_context(grpc_peer(worker)))
            else:
                found.append(LoopbackPeer(worker))
        yield found


@pytest.fixture(scope="module")
def sha() -> str:
    return asyncio.run(run_job("device-only")).done.frames_sha256


def is_whole(result: Result) -> bool:
    steps = [event.step for event in result.events if isinstance(event, StepDone)]
    ran = [(segment.start_step, segment.stop_step) for segment in result.done.segments]
    ends = [0, *(stop for _, stop in ran)]
    return steps == list(range(STEPS)) and [start for start, _ in ran] == ends[:-1] and ends[-1] == STEPS


@pytest.mark.parametrize("kind", ["loopback", "grpc"])
async def test_another_plan_at_every_boundary_and_the_same_frames(kind: str, sha: str) -> None:
    policy = Restless()
    async with peers(kind) as found:
        result = await run_prepared(job(policy), *found)
    assert result.done.frames_sha256 == sha
    assert is_whole(result)
    assert len({segment.node for segment in result.done.segments}) == 3
    reviews = [event for event in result.events if isinstance(event, PlanReviewed)]
    assert {review.outcome for review in reviews} == {"replace"}
    assert all(review.reason.startswith("It is the turn of") for review in reviews)
    plans = [event for event in result.events if isinstance(event, PlanMade)]
    assert [plan.revision for plan in plans] == list(range(len(plans)))
    assert all(plan.reason for plan in plans[1:])
    assert len(plans) > 3


@pytest.mark.parametrize("step", range(1, LAST))
@pytest.mark.parametrize(("first", "then"), [("device", "edge"), ("edge", "device"), ("edge", "cloud")])
async def test_a_change_at_each_step(step: int, first: str, then: str, sha: str) -> None:
    policy = Once(dict.fromkeys(range(STEPS), first), dict.fromkeys(range(STEPS), then), step)
    async with peers("loopback") as found:
        result = await run_prepared(job(policy), *found)
    assert result.done.frames_sha256 == sha
    assert is_whole(result)


async def test_a_plan_that_keeps_the_node_needs_no_hand_back(sha: str) -> None:
    """What comes after the segment is changed while it runs: it is neither stopped nor sent again."""
    everywhere = dict.fromkeys(range(5, 8), "edge")
    policy = Once({**everywhere, 8: "edge"}, {**everywhere, 8: "cloud"}, 6)
    edge, cloud = Watched(Tier.EDGE), Watched(Tier.CLOUD)
    result = await run_prepared(job(policy), edge, cloud)
    assert result.done.frames_sha256 == sha
    assert result.ran == [("device", 0, 5), ("edge", 5, 8), ("cloud", 8, 9), ("device", 9, 10)]
    assert len(edge.orders) == 1
    later = Once({5: "edge", 6: "edge"}, everywhere, 6)
    edge = Watched(Tier.EDGE)
    result = await run_prepared(job(later), edge, Watched(Tier.CLOUD))
    assert result.ran == [("device", 0, 5), ("edge", 5, 8), ("device", 8, 10)]
    assert [(order.start_step, order.stop_step) for order in edge.orders] == [(5, 7), (7, 8)]


@pytest.mark.parametrize("codec", ["int8", "auto", "clean"])
async def test_lossy_codecs_are_not_asked_for_more_than_their_budget(codec: str) -> None:
    async with peers("loopback") as found:
        result = await run_prepared(job(Restless(), codec), *found)
    assert is_whole(result)
    assert {hop.codec for hop in result.done.hops} == {codec}


class FailsWhileYielding(Watched):
    """Loses its first `failures` results after they were computed."""

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        done = await super().run(order, state, emit, recall=recall)
        if len(self.orders) <= self._lost:
            raise NodeUnavailable("The link broke on the way back.", node_id="edge")
        return done

    def __init__(self, tier: Tier, lost: int) -> None:
        super().__init__(tier)
        self._lost = lost


@pytest.mark.parametrize("lost", [1, 2, 9])
async def test_a_node_that_is_lost_while_it_hands_back(lost: int, sha: str) -> None:
    policy = Once(dict.fromkeys(range(5, 9), "edge"), dict.fromkeys(range(7, 9), "cloud"), 7)
    edge = FailsWhileYielding(Tier.EDGE, lost)
    result = await run_prepared(whose_states_stay(job(policy)), edge, Watched(Tier.CLOUD))
    assert result.done.frames_sha256 == sha
    if lost < 3:
        assert result.ran == [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)]
        computed = [event.step for event in result.events if isinstance(event, StepDone)]
        assert computed == list(range(STEPS)), "what was handed back is kept for whoever asks again"
    else:
        assert "Going on without edge" in result.notices


async def test_a_node_that_hands_back_by_itself_is_not_asked_again(sha: str) -> None:
    class Draining(Watched):
        async def run(
            self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
        ) -> SegmentDone:
            async def leave(event: object) -> None:
                await emit(event)  # type: ignore[arg-type]
                if isinstance(event, StepDone):
                    self._worker.serving.give_back()

            return await super().run(order, state, leave, recall=recall)

    result = await run_job("edge-only", Draining(Tier.EDGE), Watched(Tier.CLOUD))
    assert result.done.frames_sha256 == sha
    assert result.ran == [("device", 0, 5), ("edge", 5, 6), ("device", 6, 10)]
    assert "Going on without edge" in result.notices


async def test_looks_are_told_where_the_state_is_and_why() -> None:
    class Patient(Restless):
        def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
            super().revise(view, current, occasion)
            return Revision(None, "Fine.")

    policy = Patient()
    result = await run_prepared(job(policy), Watched(Tier.EDGE), Watched(Tier.CLOUD))
    assert result.ran == [("device", 0, 5), ("edge", 5, 9), ("device", 9, 10)]
    steps = [
        (view.start_step, view.at)
        for view, look in zip(policy.views, policy.looks, strict=True)
        if look.trigger in (Trigger.STEP, Trigger.DRIFT) and view.in_flight is None
    ]
    assert [step for step, at in steps if at is None] == [1, 2, 3, 4, 5]
    assert [step for step, at in steps if at == "edge"] == [7, 8]
    assert all(view.estimates is not None for view in policy.views)
    reviews = [event for event in result.events if isinstance(event, PlanReviewed)]
    assert all(event.trigger != "step" and event.outcome == "keep" for event in reviews)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Objective(pins={"stage9": NodeId("edge")}), "no stage 'stage9' to pin: the stages are text"),
        (Objective(pins={"stage4": NodeId("moon")}), "no node 'moon'"),
        (Objective(memory_caps={NodeId("moon"): 1}), "this job can use device, edge"),
    ],
)
async def test_pins_and_caps_name_what_is_there(wishes: Objective, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await run_prepared(replace(job(Restless()), wishes=wishes), Watched(Tier.EDGE))


async def test_a_policy_that_plans_once_costs_no_look_at_a_node() -> None:
    class Unwatched(Watched):
        def telemetry(self, interval_s: float = 1.0) -> AsyncGenerator[Telemetry, None]:
            raise AssertionError("nobody looks at it")

    result = await run_job("pyramid", Unwatched(Tier.EDGE), Unwatched(Tier.CLOUD))
    assert not any(isinstance(event, PlanReviewed) for event in result.events)


async def test_a_lost_node_that_is_heard_again_is_used_again(
    monkeypatch: pytest.MonkeyPatch, sha: str
) -> None:
    """After a while in which it is left alone, and in the middle of what took its place."""
    monkeypatch.setattr("eapg_split.planner.news._BAN_S", 0.01)
    monkeypatch.setattr("eapg_split.runtime.replanner._TICK_S", 0.02)
    everywhere = dict.fromkeys(range(5, 9), "edge")

    class Loyal(Once):
        def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
            again = "edge" not in view.unavailable
            return Revision(staged(view, everywhere) if again else None, "It is there.")

    edge = Watched(Tier.EDGE, failures=3)
    result = await run_prepared(job(Loyal(everywhere, {}, 99)), edge, engine=SlowPipeline)
    assert result.done.frames_sha256 == sha
    assert is_whole(result)
    assert "Going on without edge" in result.notices
    assert "edge" in [segment.node for segment in result.done.segments]
    reviews = [event for event in result.events if isinstance(event, PlanReviewed)]
    assert any(event.trigger == "node" and "may be tried again" in event.occasion for event in reviews)


@dataclass
class Slow(Once):
    """Its looks take longer than the steps."""

    looks: int = 0

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        self.looks += occasion.trigger is Trigger.STEP
        time.sleep(0.05)
        return super().revise(view, current, occasion)


async def test_slow_looks_are_rare(sha: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_budget, "SHARE", SHARE)
    policy = Slow({}, {}, step=STEPS)
    result = await run_prepared(job(policy))
    assert result.done.frames_sha256 == sha
    assert policy.looks <= 2  # the next one would be due after five seconds
