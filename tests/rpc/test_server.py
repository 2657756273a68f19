"""Hostile and broken callers of a node: refused in words, with nothing left behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import cast

import grpc
import pytest

from eapg_split.domain.topology import Tier
from eapg_split.errors import CapacityExceeded, CorruptPayload, DeadlineExceeded, EapgError, InvalidRequest
from eapg_split.rpc import methods
from eapg_split.rpc.convert import order_to_proto
from eapg_split.rpc.frames import header_of
from eapg_split.rpc.status import CLASS_KEY, CORRELATION_KEY, from_rpc_error
from eapg_split.rpc.v1 import node_pb2
from eapg_split.rpc.wire import RequestField, pack
from eapg_split.runtime.settings import Limits
from eapg_split.runtime.worker import Worker
from tests.nodes import coded, order, served, toy_worker, undivided, until


@pytest.fixture(scope="module")
def good() -> node_pb2.RunHeader:
    return order_to_proto(order(5, 9), header_of(coded(undivided(5))))


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(arrival_s=0.3, payload_bytes=10**6))
    yield worker
    worker.thread.close()


@pytest.fixture
async def channel(worker: Worker) -> AsyncIterator[grpc.aio.Channel]:
    async with served(worker) as address, grpc.aio.insecure_channel(address) as channel:
        yield channel


async def _refusal(channel: grpc.aio.Channel, messages: list[bytes], *, end: bool = True) -> EapgError:
    call = channel.stream_stream(methods.RUN, None, None)(None)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        for message in messages:
            await call.write(message)
        if end:
            await call.done_writing()
        while isinstance(await call.read(), bytes):
            pass
    trailing = _trailing(caught.value)
    assert CLASS_KEY in trailing
    assert CORRELATION_KEY not in trailing
    return from_rpc_error(caught.value, "edge")


def _trailing(error: grpc.aio.AioRpcError) -> dict[str, str]:
    return dict(cast("list[tuple[str, str]]", error.trailing_metadata()))  # the stubs do not know pairs


def _header(message: node_pb2.RunHeader) -> bytes:
    return pack(RequestField.HEADER, message.SerializeToString())


def _altered(good: node_pb2.RunHeader) -> Iterator[tuple[node_pb2.RunHeader, type[EapgError]]]:
    for name, value, error in (
        ("session", "../../etc", InvalidRequest),
        ("stop_step", 4_000_000_000, InvalidRequest),
        ("remaining_s", float("nan"), InvalidRequest),
    ):
        header = node_pb2.RunHeader.FromString(good.SerializeToString())
        setattr(header, name, value)
        yield header, error
    huge = node_pb2.RunHeader.FromString(good.SerializeToString())
    huge.payload.body_bytes = 2**62
    yield huge, CapacityExceeded
    shape = node_pb2.RunHeader.FromString(good.SerializeToString())
    shape.payload.tensors[0].shape[0] += 1
    yield shape, CorruptPayload
    wide = node_pb2.RunHeader.FromString(good.SerializeToString())
    wide.request.width = 8192
    yield wide, InvalidRequest


async def test_headers_that_lie_are_refused(
    channel: grpc.aio.Channel, worker: Worker, good: node_pb2.RunHeader
) -> None:
    for header, error in _altered(good):
        assert type(await _refusal(channel, [_header(header)])) is error
    assert worker.running_sessions == 0


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], CorruptPayload),
        ([b"GET / HTTP/1.1"], CorruptPayload),
        ([b"\x0a\x03\xff\xff\xff"], InvalidRequest),
        ([b"\x12\x01a"], InvalidRequest),
        ([b"\x0a\x00"], InvalidRequest),
    ],
    ids=["nothing", "text", "broken header", "chunk first", "empty header"],
)
async def test_streams_without_a_header_are_refused(
    channel: grpc.aio.Channel, messages: list[bytes], error: type[EapgError]
) -> None:
    assert type(await _refusal(channel, messages)) is error


async def test_a_hand_off_that_ends_or_stalls_is_given_up(
    channel: grpc.aio.Channel, worker: Worker, good: node_pb2.RunHeader
) -> None:
    begun = [_header(good), pack(RequestField.CHUNK, b"some of it")]
    assert type(await _refusal(channel, begun)) is CorruptPayload
    assert type(await _refusal(channel, begun, end=False)) is DeadlineExceeded
    wrong = pack(RequestField.CHUNK, bytes(good.payload.body_bytes))
    assert type(await _refusal(channel, [_header(good), wrong])) is CorruptPayload
    twice = [_header(good), _header(good)]
    assert type(await _refusal(channel, twice)) is InvalidRequest
    assert worker.running_sessions == 0


async def test_states_that_arrive_hold_places(
    channel: grpc.aio.Channel, worker: Worker, good: node_pb2.RunHeader
) -> None:
    calls = []
    for number in range(worker.setup.limits.sessions):
        header = node_pb2.RunHeader.FromString(good.SerializeToString())
        header.session = f"s{number}"
        calls.append(channel.stream_stream(methods.RUN, None, None)(None))
        await calls[-1].write(_header(header))
    await until(lambda: worker.running_sessions == len(calls))
    header.session = "late"
    assert type(await _refusal(channel, [_header(header)])) is CapacityExceeded
    for call in calls:
        call.cancel()
    await until(lambda: worker.running_sessions == 0)


async def test_a_message_above_the_limit_is_refused(channel: grpc.aio.Channel) -> None:
    call = channel.stream_stream(methods.RUN, None, None)(None)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.write(bytes(2**21))
        await call.read()
    assert isinstance(from_rpc_error(caught.value, "edge"), CapacityExceeded)


async def test_an_unforeseen_error_tells_nothing_but_where_to_look(
    channel: grpc.aio.Channel, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise KeyError("/home/someone/secret")

    worker.describe = broken  # type: ignore[assignment, method-assign]
    call = channel.unary_unary(methods.DESCRIBE, lambda message: b"", node_pb2.NodeDescription.FromString)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(None)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)
    correlation = _trailing(caught.value)[CORRELATION_KEY]
    assert correlation in caplog.text
    assert "secret" in caplog.text


async def test_unknown_methods_are_unimplemented(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(f"/{methods.NODE_SERVICE}/Explode", lambda message: b"", lambda data: data)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(None)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_garbage_on_the_port_does_not_disturb(worker: Worker) -> None:
    async with served(worker) as address:
        host, port = address.split(":")
        for garbage in (b"\x00" * 4096, b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 64):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(garbage)
            await writer.drain()
            writer.close()
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_unary(
                methods.DESCRIBE, lambda message: b"", node_pb2.NodeDescription.FromString
            )
            assert (await call(None)).node == "edge"
