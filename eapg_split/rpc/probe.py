"""Parts there and back through the code that carries states: what a link and both ends of it really carry."""

import asyncio
from collections.abc import Sequence
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
from eapg_split.rpc.wire import ReplyField, RequestField, pack, unpack
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
    ready_s = asyncio.get_running_loop().time()
    for index, part in enumerate(came.parts):
        for message in part_messages(ReplyField.PART, index, Ready(part, ready_s)):
            await outbox.send(message)
    await outbox.finish(pack(ReplyField.DONE, b""))


async def send_probe(call: "grpc.aio.StreamStreamCall[bytes, bytes]", parts: Sequence[Part]) -> Probed:
    """The asking side. Raises CorruptPayload where something else comes back."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    size = sum(len(part.body) for part in parts)
    stop = asyncio.Event()
    sending = asyncio.create_task(_send(call, parts, began, stop))
    came, out, back = _Parts(len(parts), size), list[Trip](), list[Trip]()
    reader = PartReader(came.check)
    try:
        while isinstance(message := await call.read(), bytes):
            field, body = unpack(message)
            arrived = None
            match field:
                case ReplyField.ACKS:
                    acks = common_pb2.Acks.FromString(bytes(body)).acks
                    for part, ack in zip(parts[len(out) :], acks, strict=False):
                        out.append(Trip(len(part.body), began, ack.arrived_s, ack.late))
                case ReplyField.PART:
                    arrived = reader.take_part(body)
                case ReplyField.CHUNK:
                    arrived = reader.take_chunk(body)
                case ReplyField.DONE | ReplyField.FAILING:
                    stop.set()
                    await sending
                    await call.done_writing()
                    if field == ReplyField.DONE:
                        break
            if arrived is not None:
                came.add(arrived.part)
                back.append(Trip(len(arrived.part.body), arrived.ready_s, loop.time()))
        if len(came.parts) < len(parts):
            raise CorruptPayload("A probe ended before all of it had come back: probe again.")
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return Probed(tuple(came.parts), loop.time() - began, samples(out), samples(back))


async def _send(
    call: "grpc.aio.StreamStreamCall[bytes, bytes]",
    parts: Sequence[Part],
    ready_s: float,
    stop: asyncio.Event,
) -> None:
    header = node_pb2.ProbeHeader(parts=len(parts), body_bytes=sum(len(part.body) for part in parts))
    try:
        await call.write(pack(RequestField.PROBE, header.SerializeToString()))
        for index, part in enumerate(parts):
            for message in part_messages(RequestField.PART, index, Ready(part, ready_s)):
                if stop.is_set():
                    return
                await call.write(message)
    except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
        return  # the node ended the call; its reason comes with the next read
