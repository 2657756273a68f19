"""Hostile and broken callers of a node: refused in words, with nothing left behind."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import cast

import grpc
import pytest

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import payload_of
from eapg_split.domain.topology import Tier
from eapg_split.errors import (
    CapacityExceeded,
    CorruptPayload,
    DeadlineExceeded,
    EapgError,
    InvalidRequest,
    NodeUnavailable,
    SessionNotFound,
    Unsupported,
)
from eapg_split.rpc import methods
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert import order_to_proto
from eapg_split.rpc.incoming import open_incoming
from eapg_split.rpc.seals import seal
from eapg_split.rpc.status import CLASS_KEY, CORRELATION_KEY, from_rpc_error
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack, pack_part, unpack
from eapg_split.runtime.settings import Limits, PeerAddress
from eapg_split.runtime.worker import Worker
from tests.nodes import coded, order, served, toy_worker, undivided, until


@pytest.fixture(scope="module")
def good() -> node_pb2.RunHeader:
    return order_to_proto(order(5, 9), coded(undivided(5)).declaration)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(queued=0, payload_bytes=10**6))
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
    return pack(RequestField.HEADER, seal(message))


def _altered(good: node_pb2.RunHeader) -> Iterator[tuple[node_pb2.RunHeader, type[EapgError]]]:
    for name, value, error in (
        ("session", "../../etc", InvalidRequest),
        ("stop_step", 4_000_000_000, InvalidRequest),
        ("remaining_s", float("nan"), InvalidRequest),
    ):
        header = node_pb2.RunHeader.FromString(good.SerializeToString())
        setattr(header, name, value)
        yield header, error
    shape = node_pb2.RunHeader.FromString(good.SerializeToString())
    shape.state.tensors[0].tensor.shape[0] += 1
    yield shape, CorruptPayload
    codec = node_pb2.RunHeader.FromString(good.SerializeToString())
    codec.state.tensors[0].codec = "mp3"
    yield codec, Unsupported
    named = node_pb2.RunHeader.FromString(good.SerializeToString())
    named.state.tensors[0].codec, named.state.tensors[0].digest = "", bytes(16)
    yield named, SessionNotFound
    itself = node_pb2.RunHeader.FromString(good.SerializeToString())
    itself.state.tensors[0].codec, itself.state.tensors[0].input = "", "xbar"
    yield itself, CorruptPayload
    loss = node_pb2.RunHeader.FromString(good.SerializeToString())
    loss.result_db = float("inf")
    yield loss, InvalidRequest
    yield from _onwards(good)
    wide = node_pb2.RunHeader.FromString(good.SerializeToString())
    wide.request.width = 8192
    yield wide, InvalidRequest


def _onwards(good: node_pb2.RunHeader) -> Iterator[tuple[node_pb2.RunHeader, type[EapgError]]]:
    """States that are to be handed on to nobody, for nothing, too often, or through what there is not."""
    for onward, error in (
        ([("", 6, "lossless", 0.0)], InvalidRequest),
        ([("cloud", 5, "lossless", 0.0)], InvalidRequest),
        ([("cloud", 4_000_000_000, "lossless", 0.0)], InvalidRequest),
        ([("cloud", 8, "lossless", float("nan"))], InvalidRequest),
        ([("cloud", 8 + each, "lossless", 0.0) for each in range(9)], InvalidRequest),
        ([("c" * 201, 8, "lossless", 0.0)], InvalidRequest),
        ([("cloud", 8, "mp3", 0.0)], Unsupported),
    ):
        header = node_pb2.RunHeader.FromString(good.SerializeToString())
        header.stop_step = 7
        for node, stop_step, codec, quality_db in onward:
            header.onward.add(node=node, stop_step=stop_step, codec=codec, quality_db=quality_db)
        yield header, error


async def test_recalls_that_make_no_sense_are_passed_over(
    channel: grpc.aio.Channel, good: node_pb2.RunHeader
) -> None:
    part = payload_of(CODECS["lossless"], undivided(5)).parts[0]
    call = channel.stream_stream(methods.RUN, None, None)(None)
    wrong = (b"\xff\xff", seal(node_pb2.RunRecall(step=6, quality_db=float("nan"))))
    for message in (_header(good), _part(0, part.body, part.checksum)):
        await call.write(message)
    for body in wrong:
        await call.write(pack(RequestField.RECALL, body))
    fields = [unpack(message)[0] async for message in _until_done(call)]
    assert fields[-1] == ReplyField.DONE
    call.cancel()


async def test_headers_that_lie_are_refused(
    channel: grpc.aio.Channel, worker: Worker, good: node_pb2.RunHeader
) -> None:
    for header, error in _altered(good):
        assert type(await _refusal(channel, [_header(header)])) is error
    assert worker.running_sessions == 0


async def test_a_header_in_which_a_bit_flipped_is_refused(
    channel: grpc.aio.Channel, worker: Worker, good: node_pb2.RunHeader
) -> None:
    """Another seed would draw another video, and nothing else would tell."""
    data = bytearray(seal(good))
    for place in range(0, 8 * len(data), 37):
        data[place // 8] ^= 1 << place % 8
        assert type(await _refusal(channel, [pack(RequestField.HEADER, bytes(data))])) is CorruptPayload
        data[place // 8] ^= 1 << place % 8
    assert worker.running_sessions == 0


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], CorruptPayload),
        ([b"GET / HTTP/1.1"], CorruptPayload),
        ([b"\x0a\x03\xff\xff\xff"], CorruptPayload),
        ([b"\x12\x01a"], InvalidRequest),
        ([b"\x0a\x00"], CorruptPayload),
    ],
    ids=["nothing", "text", "broken header", "chunk first", "empty header"],
)
async def test_streams_without_a_header_are_refused(
    channel: grpc.aio.Channel, messages: list[bytes], error: type[EapgError]
) -> None:
    assert type(await _refusal(channel, messages)) is error


async def test_a_sender_that_stalls_is_given_up(good: node_pb2.RunHeader) -> None:
    """Here any pause of this process may be taken for the sender's, or for that of the link the other way."""
    worker = toy_worker("edge", Tier.EDGE, limits=Limits(arrival_s=0.1))
    async with served(worker) as address, grpc.aio.insecure_channel(address) as channel:
        refusal = await _refusal(channel, [_header(good)], end=False)
    assert isinstance(refusal, DeadlineExceeded | NodeUnavailable)
    assert worker.running_sessions == 0
    worker.thread.close()


async def test_silence_in_the_middle_of_a_hand_off_is_past_its_time() -> None:
    async def read() -> bytes:
        await asyncio.sleep(60)
        return b""

    async with open_incoming(read, 0.05) as incoming:
        with pytest.raises(DeadlineExceeded, match=r"Nothing came for 0\.05 s"):
            await incoming.message()


async def test_a_hand_off_that_ends_early_or_lies_is_refused(
    channel: grpc.aio.Channel, worker: Worker, good: node_pb2.RunHeader
) -> None:
    part = payload_of(CODECS["lossless"], undivided(5)).parts[0]
    whole = _part(0, part.body, part.checksum)
    begun = [_header(good), _part(0, part.body[:9], part.checksum, declared=len(part.body))]
    assert type(await _refusal(channel, begun)) is CorruptPayload
    for wrong, error in (
        ([_part(0, bytes(len(part.body)), part.checksum)], CorruptPayload),
        ([_part(1, part.body, part.checksum)], CorruptPayload),
        ([_part(0, part.body, part.checksum, declared=2**62)], CapacityExceeded),
        ([_part(0, part.body, part.checksum, declared=3)], CorruptPayload),
        ([_part(0, part.body, "ab")], CorruptPayload),
        ([pack(RequestField.CHUNK, b"of nothing")], CorruptPayload),
        ([pack(RequestField.PART, b"nonsense")], CorruptPayload),
        ([_header(good)], InvalidRequest),
    ):
        assert type(await _refusal(channel, [_header(good), *wrong])) is error
    assert worker.running_sessions == 0
    call = channel.stream_stream(methods.RUN, None, None)(None)
    for message in (_header(good), whole, whole):  # one part more than there are is not even looked at
        await call.write(message)
    fields = [unpack(message)[0] async for message in _until_done(call)]
    fields = [field for field in fields if field != ReplyField.ALIVE]
    assert fields[:2] == [ReplyField.ACKS, ReplyField.ACCEPTED]
    after = [field for field in fields if field != ReplyField.STEP]  # which may wait for what is more urgent
    assert after[-3:] == [ReplyField.RESULT, ReplyField.PART, ReplyField.DONE]
    call.cancel()


def _part(index: int, body: bytes, checksum: str, *, declared: int | None = None) -> bytes:
    header = common_pb2.PartHeader(
        index=index,
        body_bytes=len(body) if declared is None else declared,
        checksum=bytes.fromhex(checksum),
    )
    return pack_part(RequestField.PART, header.SerializeToString(), body)


async def _until_done(call: "grpc.aio.StreamStreamCall[bytes, bytes]") -> AsyncIterator[bytes]:
    while isinstance(message := await call.read(), bytes):
        yield message
        if unpack(message)[0] == ReplyField.DONE:
            return


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
        while isinstance(await call.read(), bytes):  # a node that is slow to see it says that it is alive
            pass
    assert isinstance(from_rpc_error(caught.value, "edge"), CapacityExceeded)


async def test_an_unforeseen_error_tells_nothing_but_where_to_look(
    channel: grpc.aio.Channel, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*, brief: bool) -> None:
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


async def test_a_description_that_cannot_be_parsed_is_an_error_of_its_node() -> None:
    async def nonsense(request: object, context: object) -> bytes:
        return b"\xff\xff"

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(nonsense)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(methods.NODE_SERVICE, {"Describe": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = GrpcPeer(PeerAddress("edge", f"127.0.0.1:{port}"))
    for ask in (peer.describe, peer.identify):
        with pytest.raises(CorruptPayload, match="edge"):
            await ask()
    await peer.close()
    await server.stop(0)
