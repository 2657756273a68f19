"""States that come home while a segment goes on: what is lost with a node begins there, and nothing waits for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import pytest

from eapg_split.codecs import CODECS
from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.runtime.arriving import ArrivingCheckpoints
from eapg_split.runtime.checkpoint import KeptTensor
from eapg_split.runtime.events import CheckpointCame, SegmentEvent
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.neighbours import Neighbours
from eapg_split.runtime.peer import Onward, Peer, SegmentOrder
from eapg_split.runtime.worker import Worker
from tests.nodes import coded, grpc_peer, order, toy_worker, undivided
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
