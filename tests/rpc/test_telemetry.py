"""Telemetry over a wire: what is unknown stays unknown, and a node that lies is believed in nothing."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.telemetry import RANGES, LinkSight, Quality, Reading, Telemetry, reading
from eapg_split.domain.topology import Tier
from eapg_split.errors import CapacityExceeded, InvalidRequest, NodeUnavailable, Unsupported
from eapg_split.rpc import client, methods
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert_telemetry import (
    interval_from_proto,
    telemetry_from_proto,
    telemetry_to_proto,
)
from eapg_split.rpc.server import NodeService
from eapg_split.rpc.v1 import node_pb2
from eapg_split.runtime.settings import PeerAddress
from tests.nodes import grpc_peer, served, toy_worker

numbers = st.floats(allow_nan=True, allow_infinity=True)


@asynccontextmanager
async def answering(*messages: node_pb2.NodeTelemetry, then_s: float = 0.0) -> AsyncIterator[GrpcPeer]:
    """A node that says this and nothing else."""

    async def telemetry(request: object, context: object) -> AsyncIterator[node_pb2.NodeTelemetry]:
        for message in messages:
            yield message
        await asyncio.sleep(then_s)

    method = grpc.unary_stream_rpc_method_handler(
        telemetry, response_serializer=node_pb2.NodeTelemetry.SerializeToString
    )
    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler(methods.NODE_SERVICE, {"Telemetry": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = GrpcPeer(PeerAddress("liar", f"127.0.0.1:{port}"))
    try:
        yield peer
    finally:
        await peer.close()
        await server.stop(0)


async def first_look(peer: GrpcPeer) -> Telemetry:
    async with aclosing(peer.telemetry(0.1)) as looks:
        async for look in looks:
            return look
    raise AssertionError("no look came")


def test_every_reading_has_its_field_on_the_wire() -> None:
    names = {each.name for each in node_pb2.NodeTelemetry.DESCRIPTOR.fields}
    assert names == {*RANGES, "resident", "links", "draining"}


@given(st.fixed_dictionaries({name: st.none() | st.floats(*limits) for name, limits in RANGES.items()}))
def test_what_is_known_arrives_and_what_is_unknown_does_not(values: dict[str, float | None]) -> None:
    readings = {name: reading(name, value, Quality.MODELLED) for name, value in values.items()}
    link = LinkSight("a", "b", 1e6, 0.3, 0.02, 5.0)
    sent = Telemetry(resident=("text",), links=(link,), **readings)  # type: ignore[arg-type]
    came = telemetry_from_proto(telemetry_to_proto(sent), at_s=7.0)
    assert came.at_s == 7.0
    assert (came.resident, came.links) == (("text",), (link,))
    for name, value in values.items():
        got: Reading = getattr(came, name)
        assert got.known == (value is not None)
        assert value is None or (got.value == value and got.quality is Quality.MODELLED)


@given(st.sampled_from(sorted(RANGES)), numbers)
def test_absurd_readings_are_unknown(name: str, value: float) -> None:
    message = node_pb2.NodeTelemetry()
    getattr(message, name).CopyFrom(node_pb2.Reading(value=value))
    got: Reading = getattr(telemetry_from_proto(message, at_s=0.0), name)
    low, high = RANGES[name]
    assert got.known == (low <= value <= high)
    assert got.known or math.isnan(got.value)


@given(numbers, numbers, numbers, numbers)
def test_links_with_absurd_figures_are_left_out(rate: float, sigma: float, rtt: float, age: float) -> None:
    sight = node_pb2.LinkSight(source="a", target="b", bits_per_s=rate, sigma=sigma, rtt_s=rtt, age_s=age)
    for link in telemetry_from_proto(node_pb2.NodeTelemetry(links=[sight]), at_s=0.0).links:
        assert 0 < link.bits_per_s < math.inf
        assert all(0 <= value < math.inf for value in (link.sigma, link.rtt_s, link.age_s))


def test_what_comes_is_bounded() -> None:
    sight = node_pb2.LinkSight(source="a", target="b", bits_per_s=1.0)
    message = node_pb2.NodeTelemetry(resident=["p" * 10_000] * 1000, links=[sight] * 1000)
    came = telemetry_from_proto(message, at_s=0.0)
    assert len(came.links) == 64
    assert len(came.resident) == 64
    assert len(came.resident[0]) == 200


async def test_a_node_that_lies_is_believed_in_nothing() -> None:
    lies = node_pb2.NodeTelemetry(
        charge=node_pb2.Reading(value=math.nan),
        power_w=node_pb2.Reading(value=-5.0),
        temperature_c=node_pb2.Reading(value=math.inf),
        queue_s=node_pb2.Reading(value=1e300),
        load=node_pb2.Reading(value=0.5),
        links=[node_pb2.LinkSight(source="a", target="b", bits_per_s=math.inf)],
    )
    async with answering(lies) as peer:
        look = await first_look(peer)
    assert [name for name in RANGES if getattr(look, name).known] == ["load"]
    assert look.links == ()


async def test_a_flood_is_taken_slowly() -> None:
    async with answering(*[node_pb2.NodeTelemetry()] * 1000, then_s=5.0) as peer:
        count = 0
        async with aclosing(peer.telemetry(0.2)) as looks:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.55):
                    async for _ in looks:
                        count += 1
    assert 1 <= count <= 7


async def test_the_end_of_the_stream_is_an_unavailable_node() -> None:
    async with answering(node_pb2.NodeTelemetry()) as peer:
        with pytest.raises(NodeUnavailable, match="liar"):
            async for _ in peer.telemetry(0.1):
                pass


async def test_silence_is_an_unavailable_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SILENCE_S", 0.2)
    async with answering(node_pb2.NodeTelemetry(), then_s=5.0) as peer:
        with pytest.raises(NodeUnavailable, match="stuck"):
            async for _ in peer.telemetry(0.1):
                pass


async def test_a_node_from_before_telemetry_is_unsupported() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = GrpcPeer(PeerAddress("old", f"127.0.0.1:{port}"))
    try:
        with pytest.raises(Unsupported):
            await first_look(peer)
    finally:
        await peer.close()
        await server.stop(0)


@pytest.mark.parametrize("interval_s", [0.0, 0.05, 61.0, -1.0, math.nan, math.inf])
async def test_intervals_are_bounded(interval_s: float) -> None:
    async with grpc_peer(toy_worker("edge", Tier.EDGE)) as peer:
        with pytest.raises(InvalidRequest, match=r"0\.1 to 60"):
            async for _ in peer.telemetry(interval_s):
                pass
    with pytest.raises(InvalidRequest):
        interval_from_proto(node_pb2.TelemetryRequest(interval_s=interval_s))


async def test_watchers_are_bounded_and_leave_nothing_behind() -> None:
    worker = toy_worker("edge", Tier.EDGE)
    async with served(worker) as address:
        peer = GrpcPeer(PeerAddress("edge", address))
        streams = [peer.telemetry(0.1) for _ in range(16)]
        for stream in streams:
            await anext(stream)
        with pytest.raises(CapacityExceeded):
            await first_look(peer)
        for stream in streams:
            await stream.aclose()
        async with asyncio.timeout(10):
            while True:
                try:
                    await first_look(peer)
                    break
                except CapacityExceeded:
                    await asyncio.sleep(0.02)
        await peer.close()


async def test_a_node_that_drains_ends_its_streams() -> None:
    service = NodeService(toy_worker("edge", Tier.EDGE))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = GrpcPeer(PeerAddress("edge", f"127.0.0.1:{port}"))
    stream = peer.telemetry(60.0)
    await anext(stream)
    service.stop_telling()
    async with asyncio.timeout(5):
        await server.stop(30)
        with pytest.raises(NodeUnavailable):
            await anext(stream)
    await peer.close()
