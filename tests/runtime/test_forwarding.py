"""A state that goes from the edge to the cloud past the device: the same frames, and nothing is lost with either."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import NodeUnavailable, Unsupported
from eapg_split.planner.routes import Routes
from eapg_split.runtime.events import Goodput, Hop, Notice, StepDone
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.neighbours import Neighbour, Neighbours
from eapg_split.runtime.peer import Emit, Onward, Peer, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.worker import Worker
from tests.nodes import coded, grpc_peer, ignore, order, state_of, toy_worker, undivided
from tests.runtime.test_coordinator import run_job, run_prepared
from tests.runtime.test_replanning import Once, is_whole, job, whose_states_stay
from tests.toy_engine import open_engine, open_slow_engine

PLAN = {5: "edge", 6: "edge", 7: "cloud", 8: "cloud"}


class Lost(LoopbackPeer):
    """A neighbour that answers who it is, and then breaks the first `failures` segments."""

    def __init__(self, worker: Worker, failures: int, error: type[Exception] = NodeUnavailable) -> None:
        super().__init__(worker)
        self.failures = failures

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        if self.failures:
            self.failures -= 1
            raise NodeUnavailable("The link is down.")
        return await super().run(order, state, emit, recall=recall)


@dataclass
class Nodes:
    edge: Worker
    cloud: Worker
    peers: list[Peer]
    orders: list[SegmentOrder] = field(default_factory=list)


@asynccontextmanager
async def nodes(
    kind: str, *, slow: bool = False, failures: int = 0, seconds: float = 0.01
) -> AsyncIterator[Nodes]:
    """An edge that was configured with the cloud as its peer, and both as the device sees them."""
    opened = partial(open_slow_engine if slow else open_engine, "toy")
    edge, cloud = (toy_worker(tier, tier, engine=opened) for tier in (Tier.EDGE, Tier.CLOUD))
    async with AsyncExitStack() as stack:
        for worker in (edge, cloud):
            stack.callback(worker.thread.close)
        if kind == "grpc":
            peers: list[Peer] = [await stack.enter_async_context(grpc_peer(each)) for each in (edge, cloud)]
            neighbour: Neighbour = await stack.enter_async_context(grpc_peer(cloud))
        else:
            peers = [LoopbackPeer(edge), LoopbackPeer(cloud)]
            neighbour = Lost(cloud, failures)
        edge.neighbours = Neighbours([neighbour])
        seen = Goodput("edge", "cloud", 10**9, seconds, 0)
        edge.links.observe(seen)
        edge.links.observe(replace(seen, source="cloud", target="edge"))
        yield Nodes(edge, cloud, peers)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the loopback's links were seen to carry."""
    monkeypatch.setattr(Routes, "hands_on", lambda self, one, two, _: self.may_hand_on(one.node, two.node))


@pytest.fixture(scope="module")
def sha() -> str:
    return asyncio.run(run_job("device-only")).done.frames_sha256


def ends(hops: tuple[Hop, ...]) -> list[tuple[str, str, int]]:
    return [(hop.source, hop.target, hop.step) for hop in hops]


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", ["loopback", "grpc"])
@pytest.mark.parametrize("policy", ["pyramid", "once"])
async def test_a_state_goes_on_past_the_device(kind: str, policy: str, sha: str) -> None:
    async with nodes(kind) as found:
        if policy == "pyramid":
            result = await run_job("pyramid", *found.peers)
        else:
            result = await run_prepared(job(Once(PLAN, PLAN, 99)), *found.peers)
        assert found.edge.running_sessions == found.cloud.running_sessions == 0
    assert result.done.frames_sha256 == sha
    assert is_whole(result)
    assert result.ran == [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)]
    assert ends(result.done.hops) == [
        ("device", "edge", 5),
        ("edge", "cloud", 7),
        ("cloud", "edge", 9),
        ("edge", "device", 9),
    ]
    assert all(hop.wire_bytes > 0 and hop.start_s >= 0 for hop in result.done.hops)
    assert result.done.hops[2].wire_bytes == result.done.hops[3].wire_bytes
    assert set(result.done.peak_rss_bytes) == {"device", "edge", "cloud"}
    assert all(result.done.peak_rss_bytes.values())


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", ["loopback", "grpc"])
async def test_a_state_does_not_go_on_to_a_node_that_has_handed_it_on(kind: str, sha: str) -> None:
    """That node has the session's first order still, which a second one would end."""
    plan = {5: "edge", 6: "cloud", 7: "edge", 8: "edge"}
    async with nodes(kind) as found:
        found.cloud.neighbours = Neighbours([LoopbackPeer(found.edge)])
        result = await run_prepared(job(Once(plan, plan, 99)), *found.peers)
    assert result.done.frames_sha256 == sha
    assert result.ran == [
        ("device", 0, 5),
        ("edge", 5, 6),
        ("cloud", 6, 7),
        ("edge", 7, 9),
        ("device", 9, 10),
    ]
    assert ends(result.done.hops) == [
        ("device", "edge", 5),
        ("edge", "cloud", 6),
        ("cloud", "edge", 7),
        ("edge", "device", 7),
        ("device", "edge", 7),
        ("edge", "device", 9),
    ]


@pytest.mark.parametrize("codec", ["int8", "clean", "auto"])
async def test_a_lossy_result_is_relayed_as_it_came(codec: str) -> None:
    async with nodes("loopback") as found:
        result = await run_prepared(job(Once(PLAN, PLAN, 99), codec), *found.peers)
        at_home = await run_prepared(job(Once(PLAN, PLAN, 99), codec), *_apart(found))
    assert {hop.codec for hop in result.done.hops} == {codec}
    assert result.done.hops[2].wire_bytes == result.done.hops[3].wire_bytes
    assert len(at_home.done.hops) == 4
    if codec == "int8":  # the same cuts with the same codec lose the same, whichever way the state went
        assert result.done.frames_sha256 == at_home.done.frames_sha256


def _apart(found: Nodes) -> list[Peer]:
    found.edge.neighbours = Neighbours()
    return found.peers


@pytest.mark.parametrize("kind", ["loopback", "grpc"])
@pytest.mark.parametrize("step", [6, 7, 8])
async def test_a_state_that_was_handed_on_can_be_recalled(kind: str, step: int) -> None:
    """From the first node, between the two, and from the second."""
    async with nodes(kind, slow=kind == "grpc") as found:
        recall = Recall()
        recall.ask(HandBack(step))
        asked = replace(order(5, 7), onward=(Onward(NodeId("cloud"), 9),))
        done = await found.peers[0].run(asked, coded(undivided(5)), ignore, recall=recall)
        assert done.stop_step == step
        assert state_of(done, undivided(5)) == undivided(step)
        assert found.edge.running_sessions == found.cloud.running_sessions == 0


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("step", [6, 7, 8])
async def test_another_plan_while_a_state_is_handed_on(step: int, sha: str) -> None:
    then = dict.fromkeys(range(step, 9), "device")
    async with nodes("grpc", slow=True) as found:
        result = await run_prepared(job(Once(PLAN, then, step)), *found.peers)
    assert result.done.frames_sha256 == sha
    assert is_whole(result)
    assert result.ran[-1][0] == "device"


@pytest.mark.parametrize("failures", [1, 99])
async def test_where_handing_on_fails_the_state_comes_home(failures: int, sha: str) -> None:
    async with nodes("loopback", failures=failures) as found:
        result = await run_prepared(whose_states_stay(job(Once(PLAN, PLAN, 99))), *found.peers)
    assert result.done.frames_sha256 == sha
    assert result.ran == [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)]
    assert ends(result.done.hops)[-4:] == [
        ("device", "edge", 5),
        ("edge", "device", 7),
        ("device", "cloud", 7),
        ("cloud", "device", 9),
    ]
    steps = [event.step for event in result.events if isinstance(event, StepDone)]
    assert steps == list(range(10)), "what the edge had computed is kept"
    assert not any(isinstance(event, Notice) for event in result.events)


async def test_a_cloud_that_is_lost_while_it_computes_is_replaced(sha: str) -> None:
    """For the device and for the edge alike."""

    class Dies(LoopbackPeer):
        async def run(
            self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
        ) -> SegmentDone:
            await super().run(order, state, emit, recall=recall)
            raise NodeUnavailable("It died before its result was whole.", node_id="cloud")

    async with nodes("loopback") as found:
        found.edge.neighbours = Neighbours([Dies(found.cloud)])
        result = await run_prepared(
            whose_states_stay(job(Once(PLAN, PLAN, 99))), found.peers[0], Dies(found.cloud)
        )
    assert result.done.frames_sha256 == sha
    assert result.ran == [("device", 0, 5), ("edge", 5, 7), ("device", 7, 10)]
    assert "Going on without cloud" in result.notices


async def test_a_state_that_stands_still_between_them_comes_home(
    monkeypatch: pytest.MonkeyPatch, sha: str
) -> None:
    """The device cannot see that link: the edge gives up by itself."""
    monkeypatch.setattr("eapg_split.runtime.sending.STILL_S", 0.3)
    monkeypatch.setattr("eapg_split.runtime.sending._LOOK_S", 0.1)

    class Frozen(LoopbackPeer):
        async def run(
            self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
        ) -> SegmentDone:
            await asyncio.Event().wait()
            raise AssertionError("nobody is told")

    async with nodes("loopback") as found:
        found.edge.neighbours = Neighbours([Frozen(found.cloud)])
        result = await run_prepared(whose_states_stay(job(Once(PLAN, PLAN, 99))), *found.peers)
    assert result.done.frames_sha256 == sha
    assert ("edge", "device", 7) in ends(result.done.hops)
    assert result.ran == [("device", 0, 5), ("edge", 5, 7), ("cloud", 7, 9), ("device", 9, 10)]


async def test_a_node_hands_on_to_its_own_peers_only() -> None:
    async with nodes("grpc") as found:
        stranger = replace(order(5, 7), onward=(Onward(NodeId("moon"), 9),))
        with pytest.raises(NodeUnavailable, match="cannot be reached from here") as caught:
            await found.peers[0].run(stranger, coded(undivided(5)), ignore)
        assert caught.value.node_id == "moon"
        unknown = replace(order(5, 7), onward=(Onward(NodeId("cloud"), 9, "mp3"),))
        with pytest.raises(Unsupported):
            await found.peers[0].run(unknown, coded(undivided(5)), ignore)
        assert found.edge.running_sessions == found.cloud.running_sessions == 0


async def test_a_slow_link_between_them_is_not_taken(sha: str) -> None:
    async with nodes("loopback", seconds=1e6) as found:
        result = await run_prepared(job(Once(PLAN, PLAN, 99)), *found.peers)
    assert result.done.frames_sha256 == sha
    assert ("device", "cloud", 7) in ends(result.done.hops)
