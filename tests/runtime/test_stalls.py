"""A hand-off on a link that stands still: the policy hears of it every second, and may go another way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.planner.cost import CostTables
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.policy import Occasion, PlanView, Revision, Trigger
from eapg_split.rpc.client import GrpcPeer
from eapg_split.runtime.events import PlanMade, PlanReviewed
from eapg_split.runtime.settings import PeerAddress
from tests.nodes import STEPS, grpc_peer, served, toy_worker
from tests.runtime.test_coordinator import run_job, run_prepared
from tests.runtime.test_replanning import is_whole, job, staged


class Link:
    """A slow TCP link that carries nothing more towards the node once it is `frozen`, until it is thawed."""

    def __init__(self, address: str, frozen: Callable[[], bool] = lambda: False) -> None:
        self._target = address.rsplit(":", 1)
        self._frozen = frozen
        self._thawed = asyncio.Event()
        self.address = ""

    def freeze(self) -> None:
        self._frozen = lambda: True

    def thaw(self) -> None:
        self._thawed.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Link"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.thaw()
            server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target[0], int(self._target[1]))
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._towards(reader, back), _pump(there, writer))
        writer.close()
        back.close()

    async def _towards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            await asyncio.sleep(0.002)
            if self._frozen():
                await self._thawed.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@dataclass
class Impatient:
    """Sends to the edge; goes to the cloud, or stays, at the `patience`-th second of standing still."""

    patience: int
    name: str = "impatient"
    stalls: list[PlanView] = field(default_factory=list)

    def plan(self, view: PlanView) -> Plan:
        return staged(view, dict.fromkeys(range(STEPS), "edge"))

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        if occasion.trigger is not Trigger.STALL:
            return Revision(None, "")
        self.stalls.append(view)
        if len(self.stalls) < self.patience:
            return Revision(None, "Waiting a little longer.")
        return Revision(staged(view, dict.fromkeys(range(STEPS), "cloud")), "Enough.")


@pytest.fixture(scope="module")
def sha() -> str:
    return asyncio.run(run_job("device-only")).done.frames_sha256


async def test_a_hand_off_that_stands_still_goes_elsewhere(sha: str) -> None:
    edge, cloud = toy_worker("edge", Tier.EDGE), toy_worker("cloud", Tier.CLOUD)
    policy = Impatient(patience=2)
    async with (
        served(edge) as address,
        Link(address, lambda: edge.running_sessions > 0).open() as link,
        grpc_peer(cloud) as other,
    ):
        peer = GrpcPeer(PeerAddress("edge", link.address))
        async with asyncio.timeout(20):
            result = await run_prepared(job(policy), peer, other)
        link.thaw()
        await peer.close()
    assert result.done.frames_sha256 == sha
    assert is_whole(result)
    assert result.ran == [("device", 0, 5), ("cloud", 5, 9), ("device", 9, 10)]
    assert [view.start_step for view in policy.stalls] == [5, 5]
    flights = [view.in_flight for view in policy.stalls if view.in_flight is not None]
    assert [(flight.source, flight.target) for flight in flights] == [(NodeId("device"), NodeId("edge"))] * 2
    assert all(flight.remaining_bytes > 0 and flight.stalled_s >= 2 for flight in flights)
    reviews = [
        event for event in result.events if isinstance(event, PlanReviewed) and event.trigger == "stall"
    ]
    assert [event.outcome for event in reviews] == ["keep", "replace"]
    assert "Nothing has gone from device to edge" in reviews[0].occasion
    edge.thread.close()
    cloud.thread.close()


async def test_a_hand_off_that_gets_on_again_is_left_alone(sha: str) -> None:
    edge = toy_worker("edge", Tier.EDGE)
    policy = Impatient(patience=99)
    async with served(edge) as address, Link(address, lambda: edge.running_sessions > 0).open() as link:
        peer = GrpcPeer(PeerAddress("edge", link.address))
        asyncio.get_running_loop().call_later(6, link.thaw)
        async with asyncio.timeout(20):
            result = await run_prepared(job(policy), peer)
        await peer.close()
    assert result.done.frames_sha256 == sha
    assert result.ran == [("device", 0, 5), ("edge", 5, 9), ("device", 9, 10)]
    assert policy.stalls
    edge.thread.close()


class Away(DpAdaptivePolicy):
    """Our own policy where the device's steps are dear; the link dies before the hand-off."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def tables(self, view: PlanView) -> CostTables:
        tables = super().tables(view)
        dear = np.zeros_like(tables.step_s)
        dear[:, tables.device] = 5.0
        return replace(tables, penalty_steps=dear)

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        if view.start_step == 4:
            self._link.freeze()
        return super().revise(view, current, occasion)


async def test_our_own_policy_does_not_wait_for_a_dead_link(
    sha: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own rule, were there no heartbeat: the two are equally quick."""
    monkeypatch.setattr("eapg_split.rpc.pulse.LOST_AFTER_S", 60.0)
    edge = toy_worker("edge", Tier.EDGE)
    async with served(edge) as address, Link(address).open() as link:
        peer = GrpcPeer(PeerAddress("edge", link.address))
        async with asyncio.timeout(30):
            result = await run_prepared(job(Away(link)), peer)
        link.thaw()
        await peer.close()
    edge.thread.close()
    assert result.done.frames_sha256 == sha
    assert is_whole(result)
    assert result.ran == [("device", 0, STEPS)]
    first, *_ = [event for event in result.events if isinstance(event, PlanMade)]
    assert [segment.node for segment in first.segments] == ["device", "edge", "device"]
    reviews = [event for event in result.events if isinstance(event, PlanReviewed)]
    last = [event for event in reviews if event.trigger == "stall"][-1]
    assert last.outcome == "replace"
    assert "Nothing has moved to edge" in last.reason
