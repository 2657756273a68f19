"""Parts there and back through the code that carries states: what a link and both ends of it really carry."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf.message import DecodeError

from eapg_split.codecs.base import Part
from eapg_split.errors import CapacityExceeded, CorruptPayload, InvalidRequest
from eapg_split.rpc.frames import PartReader, part_messages
from eapg_split.rpc.incoming import Incoming
from eapg_split.rpc.outbox import Outbox
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack, unpack_all
from eapg_split.runtime.goodput import Sample, Trip, samples
from eapg_split.runtime.handoff import Ready

MAX_PROBE_BYTES: Final = 64 * 2**20
MAX_PROBE_PARTS: Final = 1024


@dataclass(frozen=True)
class Probed:
    """What came back, how long that took, and the goodput of both ways (empty where the link was never busy)."""

    parts: tuple[Part, ...]
    seconds: float
    outbound: tuple[Sample, ...]
    back: tuple[Sample, ...]


class _Parts:
    """Takes declared parts in their order, each checked when it is there."""

    def __init__(self, count: int, body_bytes: int) -> None:
        self.parts: list[Part] = []
        self._count = count
        self._left = body_bytes

    def check(self, index: int, body_bytes: int) -> None:
        if index != len(self.parts) or index >= self._count:
            raise CorruptPayload(f"Part {index} came where part {len(self.parts)} was due: probe again.")
        if body_bytes > self._left:
            raise CapacityExceeded("More bytes were announced than the probe declared.")

    def add(self, part: Part) -> None:
        part.verify()
        self._left -= len(part.body)
        self.parts.append(part)


async def answer_probe(incoming: Incoming, outbox: Outbox) -> None:
    """The node's side: everything comes and is checked, then goes back."""
    field, body = await incoming.message()
    if field != RequestField.PROBE:
        raise InvalidRequest("A probe's stream begins with its header.")
    try:
        header = node_pb2.ProbeHeader.FromString(bytes(body))
    except DecodeError as error:
        raise InvalidRequest("A probe's header is malformed: update the older of the two nodes.") from error
    if header.parts > MAX_PROBE_PARTS or header.body_bytes > MAX_PROBE_BYTES:
        raise CapacityExceeded(
            f"A probe has at most {MAX_PROBE_PARTS} parts and {MAX_PROBE_BYTES} bytes: send less."
        )
    came = _Parts(header.parts, header.body_bytes)
    async for arrived in incoming.parts(header.parts, came.check, answer=outbox.say):
        came.add(arrived.part)
    for message in _messages(ReplyField.PART, came.parts, asyncio.get_running_loop().time()):
        await outbox.send(message)
    await outbox.finish(pack(ReplyField.DONE, b""))


async def send_probe(call: "grpc.aio.StreamStreamCall[bytes, bytes]", parts: Sequence[Part]) -> Probed:
    """The asking side. Raises CorruptPayload where something else comes back."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    echo = _Echo(parts, began)
    stop = asyncio.Event()
    sending = asyncio.create_task(_send(call, parts, began, stop))
    try:
        while isinstance(message := await call.read(), bytes):
            now = loop.time()
            for field, body in unpack_all(message):
                if field in (ReplyField.DONE, ReplyField.FAILING):
                    stop.set()
                    await sending
                else:
                    echo.take(field, body, now)
            if field == ReplyField.DONE:
                break
        return echo.probed(loop.time() - began)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


class _Echo:
    """What comes back of a probe."""

    def __init__(self, parts: Sequence[Part], began_s: float) -> None:
        self._sent = parts
        self._began_s = began_s
        self._came = _Parts(len(parts), sum(len(part.body) for part in parts))
        self._reader = PartReader(self._came.check)
        self._out: list[Trip] = []
        self._back: list[Trip] = []

    def take(self, field: int, body: memoryview, now: float) -> None:
        """Acks, and the parts."""
        arrived = None
        match field:
            case ReplyField.ACKS:
                acks = common_pb2.Acks.FromString(bytes(body)).acks
                for part, ack in zip(self._sent[len(self._out) :], acks, strict=False):
                    self._out.append(Trip(len(part.body), self._began_s, ack.arrived_s, ack.late))
            case ReplyField.PART:
                arrived = self._reader.take_part(body)
            case ReplyField.CHUNK:
                arrived = self._reader.take_chunk(body)
        if arrived is not None:
            self._came.add(arrived.part)
            self._back.append(Trip(len(arrived.part.body), arrived.ready_s, now))

    def probed(self, seconds: float) -> Probed:
        """Raises CorruptPayload where it is not all of it."""
        if len(self._came.parts) < len(self._sent):
            raise CorruptPayload("A probe ended before all of it had come back: probe again.")
        return Probed(tuple(self._came.parts), seconds, samples(self._out), samples(self._back))


async def _send(
    call: "grpc.aio.StreamStreamCall[bytes, bytes]",
    parts: Sequence[Part],
    ready_s: float,
    stop: asyncio.Event,
) -> None:
    header = node_pb2.ProbeHeader(parts=len(parts), body_bytes=sum(len(part.body) for part in parts))
    try:
        await call.write(pack(RequestField.PROBE, header.SerializeToString()))
        for message in _messages(RequestField.PART, parts, ready_s):
            if stop.is_set():
                break
            await call.write(message)
        await call.done_writing()
    except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
        return  # the node ended the call; its reason comes with the next read


def _messages(field: int, parts: Sequence[Part], ready_s: float) -> Iterator[bytes]:
    """The first part by itself, as in a hand-off: the second message then tells the rate of the link."""
    ready = [Ready(part, ready_s) for part in parts]
    yield from part_messages(field, 0, ready[:1])
    yield from part_messages(field, 1, ready[1:])
