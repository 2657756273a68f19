"""States that come home while a segment goes on: what is lost with a node begins there, and nothing waits for them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from eapg_split.codecs import CODECS
from eapg_split.domain.error_budget import ErrorBudget, on_the_way_db
from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import CorruptPayload, EapgError, EngineFailure, NodeUnavailable, Unsupported
from eapg_split.planner import resolve
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.link_rates import Network
from eapg_split.planner.routes import Routes
from eapg_split.runtime.arriving import ArrivingCheckpoints
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.events import CheckpointCame, CheckpointKept, PlanMade, SegmentEvent, StepDone
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.job import Job
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.neighbours import Neighbours
from eapg_split.runtime.offers import CheckpointOffers
from eapg_split.runtime.peer import Emit, NodeDescription, Onward, Peer, SegmentDone, SegmentOrder
from eapg_split.runtime.progress import Progress
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.worker import Worker
from tests.nodes import SMALL, STEPS, coded, grpc_peer, order, toy_worker, undivided
from tests.runtime.test_coordinator import Result, run_job, run_prepared
from tests.toy_engine import open_slow_engine

START, STOP = 3, 9
KINDS = pytest.mark.parametrize("kind", ["loopback", "grpc"])


@asynccontextmanager
async def peers(kind: str, *tiers: Tier) -> AsyncIterator[list[tuple[Worker, Peer]]]:
    """Slow nodes, each a neighbour of the one before it."""
    async with AsyncExitStack() as stack:
        found: list[tuple[Worker, Peer]] = []
        for tier in tiers:
            worker = toy_worker(tier, tier, engine=partial(open_slow_engine, "toy"))
            stack.callback(worker.thread.close)
            opened = grpc_peer(worker)
            peer: Peer = (
                LoopbackPeer(worker) if kind == "loopback" else await stack.enter_async_context(opened)
            )
            found.append((worker, peer))
        for (before, _), (_, after) in pairwise(found):
            before.neighbours = Neighbours([after])  # type: ignore[list-item]  # both kinds identify themselves
        yield found


@dataclass
class Home:
    """What came home of one segment, put together as the device does it."""

    began: Latent
    events: list[SegmentEvent] = field(default_factory=list)
    states: dict[int, Latent] = field(default_factory=dict)
    travelled: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = {each.name: KeptTensor(each, array=self.began[each.name]) for each in self.began.spec.tensors}
        self.arriving = ArrivingCheckpoints(CODECS, given)

    async def take(self, event: SegmentEvent) -> None:
        self.events.append(event)
        if isinstance(event, CheckpointCame):
            self.states[event.step] = await self.arriving.add(event).latent()
            self.travelled[event.step] = tuple(item.tensor.name for item in event.declaration.coded)


def wanting(how: Checkpoints, *, start: int = START, stop: int = STOP) -> SegmentOrder:
    return replace(order(start, stop), checkpoints=how)


@KINDS
async def test_each_state_comes_home_and_a_source_once_a_stage(kind: str) -> None:
    home = Home(undivided(START))
    async with peers(kind, Tier.EDGE) as ((_, peer),):
        await peer.run(wanting(Checkpoints.ALWAYS), coded(home.began), home.take)
    assert sorted(home.states) == [4, 5, 6, 7, 8], "between its steps, and not its result"
    assert all(state == undivided(step) for step, state in home.states.items())
    assert home.travelled == {
        4: ("xbar",),  # the source is what the segment began with
        5: ("xbar",),
        6: ("xbar",),  # and here the state that came before
        7: ("xbar",),
        8: ("xbar",),
    }


@KINDS
async def test_states_come_home_past_a_node_that_hands_on(kind: str) -> None:
    """Also the one that was handed on, and those of the further node, whose tensors the first one has seen."""
    home = Home(undivided(START))
    async with peers(kind, Tier.EDGE, Tier.CLOUD) as ((_, edge), _):
        asked = replace(wanting(Checkpoints.ALWAYS, stop=6), onward=(Onward(NodeId("cloud"), STOP),))
        await edge.run(asked, coded(home.began), home.take)
    assert sorted(home.states) == [4, 5, 6, 7, 8]
    assert all(state == undivided(step) for step, state in home.states.items())
    assert set(home.travelled.values()) == {("xbar",)}


@KINDS
@pytest.mark.parametrize("how", [Checkpoints.NEVER, Checkpoints.AUTO])
async def test_nothing_comes_home_that_nobody_wants(kind: str, how: Checkpoints) -> None:
    """Nor, where it is only wished for, on a link on which it would be late."""
    home = Home(undivided(START))
    async with peers(kind, Tier.EDGE) as ((_, peer),):
        asked = replace(wanting(how), result_link_bits_per_s=1e3)
        await peer.run(asked, coded(home.began), home.take)
    assert not home.states


class Breaks(LoopbackPeer):
    """Loses its first segment at a step, once the state before `step` is at home."""

    def __init__(self, tier: Tier, step: int, error: EapgError, *, gone: bool = False) -> None:
        self.worker = toy_worker(tier, tier, engine=partial(open_slow_engine, "toy"))
        super().__init__(self.worker)
        self.orders: list[SegmentOrder] = []
        self._step, self._error, self._gone = step, error, gone
        self._broke = False

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        if self._gone and self._broke:
            raise NodeUnavailable("Connection refused.")
        return await super().describe(brief=brief)

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        self.orders.append(order)
        home = asyncio.Event()

        async def note(event: SegmentEvent) -> None:
            await emit(event)
            if isinstance(event, CheckpointCame) and event.step >= self._step:
                home.set()
            if isinstance(event, StepDone) and event.step >= self._step and not self._broke:
                await home.wait()
                self._broke = True
                raise self._error

        return await super().run(order, state, note, recall=recall)


GONE = NodeUnavailable("The connection ended.")


@pytest.fixture(scope="module")
def sha() -> str:
    return asyncio.run(run_job("device-only")).done.frames_sha256


def wanted(policy: str, codec: str = "lossless", how: Checkpoints = Checkpoints.ALWAYS) -> Job:
    return Job("j1", SMALL, resolve(policy), codec, ".rgb", checkpoints=how)


def twice(result: Result) -> list[int]:
    steps = Counter(event.step for event in result.events if isinstance(event, StepDone))
    assert set(steps) == set(range(STEPS))
    return [step for step, count in steps.items() if count > 1]


@pytest.mark.parametrize(
    ("error", "gone"),
    [(GONE, True), (GONE, False), (EngineFailure("broken"), False), (CorruptPayload("no"), False)],
)
async def test_what_is_lost_goes_on_from_the_newest_state(error: EapgError, gone: bool, sha: str) -> None:
    """With the node where it answers; without it where it is gone, fails for good, or computes what is of no use."""
    edge = Breaks(Tier.EDGE, 7, error, gone=gone)
    result = await run_prepared(wanted("edge-only"), edge)
    edge.worker.thread.close()
    assert result.done.frames_sha256 == sha
    assert len(twice(result)) <= 1
    came = [event.step for event in result.events if isinstance(event, CheckpointKept)]
    assert result.done.checkpoints == len(came)
    if error is GONE and not gone:
        assert result.ran == [("device", 0, 5), ("edge", 5, 9), ("device", 9, 10)]
        assert [order.start_step in (7, 8) for order in edge.orders] == [False, True]
    else:
        resumed = max(came)
        assert result.ran == [("device", 0, 5), ("edge", 5, resumed), ("device", resumed, 10)]
        assert len(edge.orders) == 1


async def test_a_lossy_state_that_is_used_leaves_half_for_the_result() -> None:
    edge = Breaks(Tier.EDGE, 7, GONE)
    result = await run_prepared(wanted("edge-only", "int8"), edge)
    edge.worker.thread.close()
    assert result.ran == [("device", 0, 5), ("edge", 5, 9), ("device", 9, 10)]
    first, second = (order.result_db for order in edge.orders)
    budget = ErrorBudget()
    assert budget.share_of(first) == pytest.approx(1 / 2)  # the other half was the way there
    assert budget.share_of(on_the_way_db(first)) == pytest.approx(1 / 4)
    assert budget.share_of(second) == pytest.approx(1 / 4)


async def test_bytes_that_cost_money_are_spent_only_where_somebody_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def metered(name: str, tier: Tier, **options: Any) -> Worker:
        worker = toy_worker(name, tier, **options)
        worker.thread.close()
        return Worker(replace(worker.setup, network=Network(metered=True)))

    monkeypatch.setattr("tests.runtime.test_coordinator.toy_worker", metered)
    for how, told in ((Checkpoints.AUTO, Checkpoints.NEVER), (Checkpoints.ALWAYS, Checkpoints.ALWAYS)):
        edge = Breaks(Tier.EDGE, 99, GONE)
        result = await run_prepared(wanted("edge-only", how=how), edge)
        edge.worker.thread.close()
        assert {order.checkpoints for order in edge.orders} == {told}
        assert (result.done.checkpoints > 0) == (how is Checkpoints.ALWAYS)


@pytest.mark.parametrize("error", [CorruptPayload("no"), Unsupported("never heard of it")])
async def test_a_state_that_came_home_and_cannot_be_decoded_is_not_gone_on_from(error: EapgError) -> None:
    class Useless(Checkpoint):
        async def latent(self) -> Latent:
            raise error

    progress = Progress(Checkpoint(3, CODECS, {}), lambda checkpoint: None)
    progress.add(Useless(5, CODECS, {}))
    assert await progress.fall_back() == 0
    assert progress.newest.step == 3


@pytest.mark.parametrize("gone", [True, False])
async def test_a_further_node_that_is_lost_costs_one_step_too(
    gone: bool, sha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that handed on is not left out for it."""
    monkeypatch.setattr(Routes, "hands_on", lambda self, one, two, _: self.may_hand_on(one.node, two.node))
    edge = toy_worker("edge", Tier.EDGE, engine=partial(open_slow_engine, "toy"))
    cloud = Breaks(Tier.CLOUD, 8, GONE, gone=gone)
    edge.neighbours = Neighbours([cloud])
    result = await run_prepared(wanted("pyramid"), LoopbackPeer(edge), cloud)
    for worker in (edge, cloud.worker):
        worker.thread.close()
    assert result.done.frames_sha256 == sha
    assert len(twice(result)) <= 1
    _, second = [event for event in result.events if isinstance(event, PlanMade)]
    assert second.segments[0].start_step == 8
    assert ("cloud" in {segment.node for segment in second.segments}) != gone


async def test_what_a_state_on_its_way_home_took_shows_what_the_link_carries_at_least() -> None:
    state = coded(undivided(5))
    assert sum([len(ready.part.body) async for ready in state.parts()]) == state.body_bytes > 0
    for believed, known in ((0.0, 80 * state.body_bytes), (1e12, 1e12)):
        offers = CheckpointOffers(replace(order(5, 9), result_link_bits_per_s=believed))
        offers.came_home(state, time.monotonic() - 0.1)
        assert offers.bits_per_s == pytest.approx(known, rel=0.1)
