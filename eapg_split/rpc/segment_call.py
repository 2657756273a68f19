"""One segment's call as its caller sees it: sends the state while it listens, and takes the result as it comes."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

import grpc

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Codec
from eapg_split.errors import CorruptPayload, DeadlineExceeded, EapgError, NodeUnavailable
from eapg_split.rpc.checkpoints import CheckpointReader, tell
from eapg_split.rpc.convert import order_to_proto, recall_to_proto, step_from_proto
from eapg_split.rpc.convert_checks import with_numbers
from eapg_split.rpc.convert_handoff import declaration_from_proto
from eapg_split.rpc.convert_hop import further_peaks, hop_from_proto
from eapg_split.rpc.frames import Arrived, PartReader, part_messages
from eapg_split.rpc.previews import PreviewAssembly
from eapg_split.rpc.pulse import Pulse
from eapg_split.rpc.seals import seal, unseal
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack, unpack_all
from eapg_split.runtime.events import Accepted, Acknowledged, Returning
from eapg_split.runtime.goodput import Trip
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.peer import Emit, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.reception import Reception

_Call = grpc.aio.StreamStreamCall
# the node sends no more of these than were taken
_SPARE = frozenset(
    {
        ReplyField.PREVIEW,
        ReplyField.CHECKPOINT,
        ReplyField.CHECKPOINT_PART,
        ReplyField.CHECKPOINT_CHUNK,
    }
)


@dataclass(frozen=True, slots=True)
class _Came:
    """When a message came; `late` where more of the time before it went into the one ahead than into waiting."""

    at_s: float
    late: bool = False


class SegmentCall:
    """Used once. `emit` gets what happens, as `runtime.peer.Peer.run` says."""

    def __init__(
        self,
        call: "_Call[bytes, bytes]",
        order: SegmentOrder,
        state: Outgoing,
        *,
        emit: Emit,
        node: str,
        recall: Recall | None = None,
        codecs: Mapping[str, Codec] = CODECS,
    ) -> None:
        self._recall = recall or Recall()
        self._call = call
        self._order = order
        self._state = state
        self._node = node
        self._writing = asyncio.Lock()  # gRPC takes one message at a time
        self._stopped = False
        self._pulse = Pulse(node)
        self._back = _WayBack(emit, node, codecs)
        self._out = _WayOut(emit, state.count)

    async def result(self) -> SegmentDone:
        """The state after the segment. Raises what ended it; the call itself is left to whoever opened it."""
        sending = asyncio.create_task(self._send())
        recalling = asyncio.create_task(self._tell_recalls())
        reading = asyncio.create_task(self._read())
        watching = asyncio.create_task(self._pulse.watch())
        try:
            await asyncio.wait((sending, reading, watching), return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not sending.cancelled():
                sending.result()  # what could not be coded
            await asyncio.wait((reading, watching), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                watching.result()  # raises
            return await reading
        finally:
            for task in (tasks := (sending, reading, recalling, watching)):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        """An end that the node or the link makes is told by the next read."""
        header = order_to_proto(self._order, self._state.declaration)
        try:
            await self._write(pack(RequestField.HEADER, seal(header)))
            first = await self._out.first() if header.resume else 0
            self._out.begin(first)
            async with aclosing(self._state.batches(first)) as batches:
                index = first
                async for batch in batches:
                    for ready in batch:
                        self._out.sent(len(ready.part.body), ready.since_s)
                    for message in part_messages(RequestField.PART, index, batch):
                        await self._write(message)
                    index += len(batch)
                    if self._stopped:
                        return
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            return

    async def _tell_recalls(self) -> None:
        """A node listens to it once it has the state."""
        await self._out.accepted.wait()
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            async for terms in self._recall.asked():
                await self._write(pack(RequestField.RECALL, seal(recall_to_proto(terms))))

    async def _write(self, message: bytes) -> None:
        """Nothing is written to a call that is about to end: its error would be lost."""
        async with self._writing:
            if not self._stopped:
                await self._call.write(message)

    async def _stop(self) -> None:
        """Says that nothing more is sent; where the call is over already nobody need hear it, and what came counts."""
        async with self._writing:
            self._stopped = True
            with suppress(grpc.aio.InternalError):
                await self._call.done_writing()

    async def _read(self) -> SegmentDone:
        loop = asyncio.get_running_loop()
        came = _Came(loop.time())
        while True:
            free_s = loop.time()
            self._pulse.waits = True
            message = await self._call.read()
            self._pulse.waits = False
            if not isinstance(message, bytes):
                raise await self._ended_early()
            now = loop.time()
            came = _Came(now, late=now - free_s < free_s - came.at_s)
            for field, body in unpack_all(message):
                self._pulse.heard(moved=field != ReplyField.ALIVE)
                self._pulse.returning |= field == ReplyField.RESULT
                if field == ReplyField.FAILING:
                    await self._stop()
                elif field == ReplyField.DONE:
                    await self._stop()
                    return await self._back.done(node_pb2.RunDone.FromString(bytes(body)))
                else:
                    await self._take(field, body, came)

    async def _take(self, field: int, body: memoryview, came: _Came) -> None:
        if field in _SPARE:
            await self._taken()
        if not await self._out.take(field, body) and not await self._back.take(field, body, came):
            raise CorruptPayload(f"Node {self._node} sent a message that is not expected here.")

    async def _taken(self) -> None:
        try:
            await self._write(pack(RequestField.TAKEN, b""))
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            return

    async def _ended_early(self) -> EapgError:
        code = await self._call.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded("The deadline passed.", node_id=self._node)
        return NodeUnavailable(
            f"Node {self._node} ended a segment before its result was whole.", node_id=self._node
        )


class _WayOut:
    """What the node says of the state on its way: what it holds already, which parts came and when, that all did."""

    def __init__(self, emit: Emit, count: int) -> None:
        self._emit = emit
        self._count = count
        self.accepted = asyncio.Event()
        self._first: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._start = 0
        self._sent: list[tuple[int, float]] = []
        self._trips: list[Trip] = []
        self._moments_s: list[float] = []

    async def first(self) -> int:
        """The part to begin with."""
        return await self._first

    def begin(self, first: int) -> None:
        self._start = first

    def sent(self, size_bytes: int, ready_s: float) -> None:
        """The next part goes."""
        self._sent.append((size_bytes, ready_s))

    async def take(self, field: int, body: memoryview) -> bool:
        """Whether the message was one of these."""
        match field:
            case ReplyField.HOLDS:
                self._take_holds(node_pb2.RunHolds.FromString(bytes(body)).parts)
            case ReplyField.ACKS:
                acks = common_pb2.Acks.FromString(bytes(body)).acks
                await self._emit(Acknowledged(sum(self._take_ack(ack) for ack in acks)))
            case ReplyField.ALIVE:
                if node_pb2.RunAlive.FromString(bytes(body)).waits:
                    await self._emit(Acknowledged(0))  # it does not stand still: it has not begun
            case ReplyField.ACCEPTED:
                await tell(self._emit, self._trips, self._moments_s, outbound=True)
                accepted = node_pb2.RunAccepted.FromString(bytes(body))
                self.accepted.set()
                await self._emit(with_numbers(Accepted(accepted.decode_s)))
            case _:
                return False
        return True

    def _take_holds(self, parts: int) -> None:
        if parts > self._count or self._first.done():
            raise CorruptPayload("The node says that it holds parts which there are not.")
        self._first.set_result(parts)

    def _take_ack(self, ack: common_pb2.Ack) -> int:
        """How many bytes that part had."""
        number = len(self._trips)
        if number >= len(self._sent) or ack.index != self._start + number:
            raise CorruptPayload("The node acknowledged a part that was not sent.")
        size_bytes, ready_s = self._sent[number]
        self._trips.append(Trip(size_bytes, ready_s, ack.arrived_s, ack.late))
        self._moments_s.append(asyncio.get_running_loop().time())
        return size_bytes


class _WayBack:
    """Steps and previews while the segment runs, then its result."""

    def __init__(self, emit: Emit, node: str, codecs: Mapping[str, Codec]) -> None:
        self._emit = emit
        self._node = node
        self._codecs = codecs
        self._previews = PreviewAssembly()
        self._checkpoints = CheckpointReader(emit, codecs)
        self._reception: Reception | None = None
        self._reader: PartReader | None = None
        self._stop_step = 0
        self._trips: list[Trip] = []

    async def take(self, field: int, body: memoryview, came: _Came) -> bool:
        """Whether the message was one of these, and due."""
        match field:
            case ReplyField.STEP:
                await self._emit(step_from_proto(common_pb2.StepDone.FromString(bytes(body))))
            case ReplyField.HOP:
                hop = hop_from_proto(common_pb2.Hop.FromString(bytes(body)))
                await self._emit(replace(hop, start_s=asyncio.get_running_loop().time() - hop.seconds))
            case ReplyField.PREVIEW:
                frame = self._previews.add(common_pb2.PreviewFrame.FromString(bytes(body)))
                if frame is not None:
                    await self._emit(frame)
            case ReplyField.CHECKPOINT | ReplyField.CHECKPOINT_PART | ReplyField.CHECKPOINT_CHUNK if (
                self._reception is None
            ):
                await self._checkpoints.take(field, body, came.at_s, late=came.late)
            case ReplyField.RESULT if self._reception is None:
                await self._emit(Returning())
                result = unseal(node_pb2.RunResult, body)
                declaration, self._stop_step = declaration_from_proto(result.state), result.stop_step
                self._reception = Reception(declaration, self._codecs, keep=True)
                self._reader = PartReader(self._reception.check)
            case ReplyField.PART if self._reader is not None:
                await self._add(self._reader.take_part(body), came)
            case ReplyField.CHUNK if self._reader is not None:
                await self._add(self._reader.take_chunk(body), came)
            case _:
                return False
        return True

    async def done(self, cost: node_pb2.RunDone) -> SegmentDone:
        """The result. Raises CorruptPayload where it is not whole."""
        if self._reception is None:
            raise CorruptPayload(f"Node {self._node} ended a segment without a result.")
        await tell(self._emit, self._trips, [trip.arrived_s for trip in self._trips], outbound=False)
        done = await SegmentDone.of(
            self._reception,
            self._stop_step,
            compute_s=cost.compute_s,
            peak_rss_bytes=cost.peak_rss_bytes,
            encode_s=cost.encode_s,
            further_peaks=further_peaks(cost),
        )
        return with_numbers(done)

    async def _add(self, arrived: Arrived | None, came: _Came) -> None:
        if arrived is None:
            return
        assert self._reception is not None
        self._trips.append(Trip(len(arrived.part.body), arrived.ready_s, came.at_s, came.late))
        await self._reception.add(arrived.part)
