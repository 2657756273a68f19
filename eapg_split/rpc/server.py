"""NodeService: convert, call the worker, convert back. Errors are left to the interceptor."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import replace

import grpc

from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.planner.checkpoints import spare_message_bytes
from eapg_split.rpc.callers import caller_of
from eapg_split.rpc.convert import (
    description_to_proto,
    order_from_proto,
    prepare_from_proto,
    recall_from_proto,
    step_to_proto,
)
from eapg_split.rpc.convert_handoff import declaration_from_proto, declaration_to_proto
from eapg_split.rpc.convert_hop import hop_to_proto
from eapg_split.rpc.convert_telemetry import interval_from_proto, telemetry_to_proto
from eapg_split.rpc.frames import checkpoint_messages, message_bytes, part_messages
from eapg_split.rpc.gate import Gate
from eapg_split.rpc.incoming import Incoming
from eapg_split.rpc.methods import NODE_SERVICE
from eapg_split.rpc.outbox import Outbox
from eapg_split.rpc.previews import preview_bands
from eapg_split.rpc.probe import answer_probe
from eapg_split.rpc.run_stream import RunStream, alive, open_stream
from eapg_split.rpc.seals import seal, unseal
from eapg_split.rpc.trace_context import parent_of
from eapg_split.rpc.v1 import node_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack
from eapg_split.runtime.events import Accepted, Hop, PreviewFrame, SegmentEvent, StepDone
from eapg_split.runtime.handoff import Declaration
from eapg_split.runtime.instruments import Kind, Span, belonging_to
from eapg_split.runtime.kept import SegmentResult
from eapg_split.runtime.offers import CheckpointOffers
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.reception import Reception
from eapg_split.runtime.worker import Worker

_Context = grpc.aio.ServicerContext
_log = logging.getLogger(__name__)
_PROBES_AT_ONCE = 2


class NodeService:
    """The servicer of one daemon's worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._probing = asyncio.Semaphore(_PROBES_AT_ONCE)
        self._runs = Gate("segments, with those that wait and those that are refused,", 512, 256)
        self._probes = Gate("probes, with those that wait,", 32, 8)
        self._prepares = Gate("calls to prepare", 64, 16)
        self._watchers = Gate("watchers", 64, 16)
        self._stopping = False
        self._news = asyncio.Event()  # for whoever watches: replaced by a new one when it is set

    def handler(self) -> "grpc.GenericRpcHandler[object, object]":
        """All methods; Run and Probe take and give raw bytes, see `rpc.wire`."""
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
                "Probe": grpc.stream_stream_rpc_method_handler(self.probe),
                "Telemetry": grpc.unary_stream_rpc_method_handler(
                    self.telemetry,
                    request_deserializer=node_pb2.TelemetryRequest.FromString,
                    response_serializer=node_pb2.NodeTelemetry.SerializeToString,
                ),
            },
        )

    async def describe(
        self, request: node_pb2.DescribeRequest, context: "_Context[object, object]"
    ) -> node_pb2.NodeDescription:
        await context.send_initial_metadata(())  # it is awake, however long its engine takes to open
        return description_to_proto(await self._worker.describe(brief=request.brief))

    async def prepare(
        self, request: node_pb2.PrepareRequest, context: "_Context[object, object]"
    ) -> node_pb2.PrepareReply:
        loop = asyncio.get_running_loop()
        began, caller = loop.time(), caller_of(context)
        self._worker.places.check_open()
        with self._prepares.passed(caller):
            await self._worker.prepare(replace(prepare_from_proto(request), caller=caller))
        return node_pb2.PrepareReply(seconds=loop.time() - began)

    async def run(self, requests: object, context: "_Context[bytes, bytes]") -> None:
        """One segment. Nothing of it is computed before all parts of the hand-off have come and fit.

        Nothing but its header is read before it has its place.
        """
        del requests  # the context reads, so that a silent sender can be given up
        worker, caller, recall = self._worker, caller_of(context), Recall()
        silence_s = worker.setup.limits.arrival_s
        async with open_stream(context, silence_s, beats=True) as stream, AsyncExitStack() as until_the_end:
            until_the_end.enter_context(self._runs.passed(caller))
            order, declaration = await _run_header(stream.incoming, caller)
            served = until_the_end.enter_context(self._served(order, parent_of(context)))
            await until_the_end.enter_async_context(worker.serving.admitted(order, declaration))
            stream.outbox.beat = alive(waits=False)
            stream.incoming.go_on()
            came = await self._received(order, declaration, stream)
            watched = stream.incoming.watched(_heard(stream.outbox, recall))
            await until_the_end.enter_async_context(watched)
            if not isinstance(came, SegmentResult):
                came = await self._computed(order, came, stream.outbox, recall)
            worker.places.release(order)
            began_s = asyncio.get_running_loop().time()
            await _send(came, stream.outbox, order.result_link_bits_per_s)
            worker.handoff_spans(order.session).encoded(came.stop_step, came.outgoing, began_s)
            served.close()  # whoever asked may end the call as soon as it has the last word
            await stream.outbox.finish(_last_word(came))

    async def probe(self, requests: object, context: "_Context[bytes, bytes]") -> None:
        """Sends parts back as they came."""
        del requests
        silence_s = self._worker.setup.limits.arrival_s
        async with open_stream(context, silence_s) as stream:
            with self._probes.passed(caller_of(context)):
                async with self._probing:
                    stream.incoming.go_on()
                    await answer_probe(stream.incoming, stream.outbox)

    async def telemetry(
        self, request: node_pb2.TelemetryRequest, context: "_Context[object, node_pb2.NodeTelemetry]"
    ) -> None:
        """Looks until the watcher goes or the daemon stops; a slow watcher gets fewer, and always new ones."""
        interval_s = interval_from_proto(request)
        with self._watchers.passed(caller_of(context)):
            while not self._stopping:
                await context.write(telemetry_to_proto(await self._worker.telemetry()))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), interval_s)

    async def drain(self) -> None:
        """Takes nothing new, tells whoever watches, and returns when all that ran here for others has ended."""
        self._worker.drain()
        self._tell_now()
        await self._runs.emptied()

    def stop_telling(self) -> None:
        """Ends every stream of telemetry: they would hold a daemon that drains."""
        self._stopping = True
        self._tell_now()

    def _tell_now(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    @contextmanager
    def _served(self, order: SegmentOrder, parent: str) -> Iterator[ExitStack]:
        """The segment's span, in the trace of whoever asks for it; it ends with the block or what this yields."""
        with ExitStack() as served:
            served.enter_context(belonging_to(parent))
            span = Span(Kind.SERVE, order.session, order.start_step, order.stop_step)
            served.enter_context(self._worker.setup.instruments.span(span))
            yield served

    async def _received(
        self, order: SegmentOrder, declaration: Declaration, stream: RunStream
    ) -> Reception | SegmentResult:
        """The state, or the result of that very one where it came before and was computed."""
        resume, outbox = order.attempt > 1, stream.outbox
        kept = self._worker.serving.kept(order, declaration.id) if resume else None
        if kept is not None:
            outbox.say(_holds(len(declaration.slices)))
            outbox.say(pack(ReplyField.ACCEPTED, b""))
            return kept
        reception = await self._worker.serving.receive(order, declaration, resume=resume)
        if resume:
            outbox.say(_holds(reception.taken))
        missing = reception.count - reception.taken
        async for arrived in stream.incoming.parts(missing, reception.check, answer=outbox.say):
            await reception.add(arrived.part)
        return reception

    async def _computed(
        self, order: SegmentOrder, reception: Reception, outbox: Outbox, recall: Recall
    ) -> SegmentResult:
        async def emit(event: SegmentEvent) -> None:
            _put(outbox, event)

        serving = self._worker.serving
        offers = serving.offers(order)
        async with _checkpoints(offers, outbox):
            return await serving.serve(order, reception, emit, recall, offers)


async def _run_header(incoming: Incoming, caller: str) -> tuple[SegmentOrder, Declaration]:
    field, body = await incoming.message()
    if field != RequestField.HEADER:
        raise InvalidRequest("A segment's stream begins with its header.")
    header = unseal(node_pb2.RunHeader, body)
    return replace(order_from_proto(header), caller=caller), declaration_from_proto(header.state)


def _heard(outbox: Outbox, recall: Recall) -> Callable[[int, memoryview], None]:
    """What the sender may say while the segment runs; anything else is of no interest any more."""

    def heard(field: int, body: memoryview) -> None:
        match field:
            case RequestField.TAKEN:
                outbox.taken()
            case RequestField.RECALL:
                recall.ask(recall_from_proto(unseal(node_pb2.RunRecall, body)))

    return heard


def _holds(parts: int) -> bytes:
    return pack(ReplyField.HOLDS, node_pb2.RunHolds(parts=parts).SerializeToString())


def _put(outbox: Outbox, event: SegmentEvent) -> None:
    match event:
        case Accepted(decode_s):
            accepted = node_pb2.RunAccepted(decode_s=decode_s)
            outbox.say(pack(ReplyField.ACCEPTED, accepted.SerializeToString()))
        case StepDone():
            outbox.step(pack(ReplyField.STEP, step_to_proto(event).SerializeToString()))
        case Hop():
            outbox.step(pack(ReplyField.HOP, hop_to_proto(event).SerializeToString()))
        case PreviewFrame():
            bands = preview_bands(event)
            outbox.preview([pack(ReplyField.PREVIEW, band.SerializeToString()) for band in bands])
        case _:
            pass  # what the result's header says, or only the other side measures


@asynccontextmanager
async def _checkpoints(offers: CheckpointOffers, outbox: Outbox) -> AsyncIterator[None]:
    """Sends what is offered for as long as the block lasts; what is on its way then is given up."""
    sending = asyncio.create_task(_send_checkpoints(offers, outbox))
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        outbox.drop_checkpoint()


async def _send_checkpoints(offers: CheckpointOffers, outbox: Outbox) -> None:
    try:
        while True:
            step, outgoing = await offers.take()
            began_s, index = time.monotonic(), 0
            header = node_pb2.RunCheckpoint(state=declaration_to_proto(outgoing.declaration), step=step)
            await outbox.spare(pack(ReplyField.CHECKPOINT, seal(header)))
            async with aclosing(outgoing.parts()) as parts:
                async for ready in parts:
                    for message in checkpoint_messages(index, ready, spare_message_bytes(offers.bits_per_s)):
                        await outbox.spare(message)
                    index += 1
            await outbox.emptied()
            offers.came_home(outgoing, began_s)
    except EapgError as error:  # the segment itself will say what is wrong with its state
        _log.info("no more checkpoints of a segment: %s", error)


async def _send(result: SegmentResult, outbox: Outbox, bits_per_s: float) -> None:
    """The result, but for the last word about it; the link is believed to carry so much, 0 is unknown."""
    outgoing = result.outgoing
    declaration = declaration_to_proto(outgoing.declaration)
    header = node_pb2.RunResult(state=declaration, stop_step=result.stop_step)
    await outbox.send(pack(ReplyField.RESULT, seal(header)))
    index, most_bytes = 0, message_bytes(bits_per_s)
    async with aclosing(outgoing.batches()) as batches:
        async for batch in batches:
            for message in part_messages(ReplyField.PART, index, batch, most_bytes=most_bytes):
                await outbox.send(message)
            index += len(batch)


def _last_word(result: SegmentResult) -> bytes:
    """What the segment cost."""
    cost = node_pb2.RunDone(
        compute_s=result.compute_s,
        peak_rss_bytes=result.peak_rss_bytes,
        encode_s=result.outgoing.encode_s,
        further_peaks=result.further_peaks,
    )
    return pack(ReplyField.DONE, cost.SerializeToString())
