"""NodeService: convert, call the worker, convert back. Errors are left to the interceptor."""

import asyncio

import grpc
from google.protobuf.message import DecodeError

from eapg_split.codecs.base import Payload
from eapg_split.errors import CorruptPayload, DeadlineExceeded, InvalidRequest
from eapg_split.rpc.convert import (
    description_to_proto,
    order_from_proto,
    prepare_from_proto,
    preview_to_proto,
    step_to_proto,
)
from eapg_split.rpc.frames import Assembly, chunks_of, header_of
from eapg_split.rpc.methods import NODE_SERVICE
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack, unpack
from eapg_split.runtime.events import Accepted, PreviewFrame, Returning, SegmentEvent, StepDone
from eapg_split.runtime.peer import SegmentDone, SegmentOrder
from eapg_split.runtime.worker import Worker

_Context = grpc.aio.ServicerContext


class NodeService:
    """The servicer of one daemon's worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def handler(self) -> "grpc.GenericRpcHandler[object, object]":
        """All methods; Run takes and gives raw bytes, see `rpc.wire`."""
        return grpc.method_handlers_generic_handler(
            NODE_SERVICE,
            {
                "Describe": grpc.unary_unary_rpc_method_handler(
                    self.describe,
                    request_deserializer=node_pb2.DescribeRequest.FromString,
                    response_serializer=node_pb2.NodeDescription.SerializeToString,
                ),
                "Prepare": grpc.unary_unary_rpc_method_handler(
                    self.prepare,
                    request_deserializer=node_pb2.PrepareRequest.FromString,
                    response_serializer=node_pb2.PrepareReply.SerializeToString,
                ),
                "Run": grpc.stream_stream_rpc_method_handler(self.run),
            },
        )

    async def describe(
        self, request: node_pb2.DescribeRequest, context: "_Context[object, object]"
    ) -> node_pb2.NodeDescription:
        del request, context
        return description_to_proto(await self._worker.describe())

    async def prepare(
        self, request: node_pb2.PrepareRequest, context: "_Context[object, object]"
    ) -> node_pb2.PrepareReply:
        del context
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._worker.prepare(prepare_from_proto(request))
        return node_pb2.PrepareReply(seconds=loop.time() - began)

    async def run(self, requests: object, context: "_Context[bytes, bytes]") -> None:
        """One segment. Nothing of it is used before the whole hand-off has come and its checksum fits."""
        del requests  # the context reads, so that a silent sender can be given up
        header = await self._header(context)
        order = order_from_proto(header)
        async with self._worker.places.held(order):
            payload = await self._received(context, order, header.payload)

            async def emit(event: SegmentEvent) -> None:
                await _write_event(context, event)

            done = await self._worker.serve(order, payload, emit)
        await _write_done(context, done)

    async def _received(
        self, context: "_Context[bytes, bytes]", order: SegmentOrder, declared: common_pb2.PayloadHeader
    ) -> Payload:
        """The payload that follows the header. Raises before its first byte where it cannot be the right one."""
        expected = await self._worker.expected(order)
        assembly = Assembly(declared, limit_bytes=self._worker.setup.limits.payload_bytes)
        if assembly.spec != expected:
            raise CorruptPayload(
                f"The state before step {order.start_step} must hold {expected}, not {assembly.spec}.",
                session_id=order.session,
            )
        while not assembly.complete:
            field, body = await self._read(context)
            if field != RequestField.CHUNK:
                raise InvalidRequest("After its header a segment's stream carries chunks only.")
            assembly.add(body)
        return assembly.finish()

    async def _header(self, context: "_Context[bytes, bytes]") -> node_pb2.RunHeader:
        field, body = await self._read(context)
        if field != RequestField.HEADER:
            raise InvalidRequest("A segment's stream begins with its header.")
        try:
            return node_pb2.RunHeader.FromString(bytes(body))
        except DecodeError as error:
            raise InvalidRequest(
                "A segment's header is malformed: update the older of the two nodes."
            ) from error

    async def _read(self, context: "_Context[bytes, bytes]") -> tuple[int, memoryview]:
        limit_s = self._worker.setup.limits.arrival_s
        try:
            async with asyncio.timeout(limit_s):
                message = await context.read()
        except TimeoutError as error:
            raise DeadlineExceeded(f"Nothing came for {limit_s:g} s in the middle of a hand-off.") from error
        if not isinstance(message, bytes):
            raise CorruptPayload("A hand-off ended before all of it had come: send it again.")
        return unpack(message)


async def _write_event(context: "_Context[bytes, bytes]", event: SegmentEvent) -> None:
    match event:
        case Accepted():
            await context.write(pack(ReplyField.ACCEPTED, b""))
        case StepDone():
            await context.write(pack(ReplyField.STEP, step_to_proto(event).SerializeToString()))
        case PreviewFrame():
            await context.write(pack(ReplyField.PREVIEW, preview_to_proto(event).SerializeToString()))
        case Returning():
            pass  # the result's header says it


async def _write_done(context: "_Context[bytes, bytes]", done: SegmentDone) -> None:
    await context.write(pack(ReplyField.RESULT, header_of(done.payload).SerializeToString()))
    for chunk in chunks_of(done.payload.body):
        await context.write(pack(ReplyField.CHUNK, chunk))
    cost = node_pb2.RunDone(compute_s=done.compute_s, peak_rss_bytes=done.peak_rss_bytes)
    await context.write(pack(ReplyField.DONE, cost.SerializeToString()))
