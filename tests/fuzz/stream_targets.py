"""Streams of messages, in any order and number, through the state machines that take them; without sockets.

An input is the messages of one or several calls, packed; an empty message ends a call. The honest ones are what both
ends really said.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError, Message

from eapg_split.codecs.base import Part, checksum_of
from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import Tier
from eapg_split.errors import CapacityExceeded, EapgError
from eapg_split.rpc.frames import PartReader, part_messages
from eapg_split.rpc.probe import send_probe
from eapg_split.rpc.seals import seal
from eapg_split.rpc.segment_call import SegmentCall
from eapg_split.rpc.server import NodeService
from eapg_split.rpc.v1 import node_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack, unpack_all
from eapg_split.runtime.events import Hop, SegmentEvent
from eapg_split.runtime.handoff import Ready
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.settings import Limits
from eapg_split.runtime.worker import Worker
from tests.fuzz.engine import still_worker
from tests.fuzz.loop import run
from tests.fuzz.message_targets import finite
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.protobuf import mutated_message
from tests.fuzz.target import MIB, Target, packed, unpacked
from tests.nodes import coded, order, undivided

_REFUSALS: Final = (EapgError, DecodeError)  # `errors_of` turns a DecodeError into a refusal


def _worker() -> Worker:
    limits = Limits(sessions=1, payload_bytes=10**6, kept_result_bytes=10**6, held_state_bytes=10**6)
    return still_worker("edge", Tier.EDGE, limits)


_HOLDS: Final = pack(ReplyField.HOLDS, b"")[:1]


class _Context:
    """The server's side of a call: reads what is given, then its end."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._messages = iter(messages)
        self.written: list[bytes] = []

    async def read(self) -> object:
        await asyncio.sleep(0.001)
        return next(self._messages, None)

    async def write(self, message: bytes) -> None:
        assert len(message) <= MIB
        self.written.append(message)

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return ()

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def auth_context(self) -> dict[str, Sequence[bytes]]:
        return {}


class _Call:
    """The client's side of a call: hears what is given, then its end."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._messages = iter(messages)
        self.written: list[bytes] = []

    async def read(self) -> object:
        await asyncio.sleep(0.1)  # by then the other task has sent
        return next(self._messages, None)

    async def write(self, message: bytes) -> None:
        await asyncio.sleep(0.001)
        self.written.append(message)

    async def done_writing(self) -> None:
        await asyncio.sleep(0.001)

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


def _calls(data: bytes) -> list[list[bytes]]:
    calls: list[list[bytes]] = [[]]
    for message in unpacked(data):
        if message:
            calls[-1].append(message)
        else:
            calls.append([])
    return calls[:4]


async def _served(data: bytes) -> None:
    """A node: several calls, one after the other, after each of which nothing is held."""
    worker = _worker()
    service, refused = NodeService(worker), None
    for messages in _calls(data):
        context: Any = _Context(messages)
        try:
            await service.run(None, context)
            refused = None
        except EapgError as error:
            refused = error
        assert len(worker.places) == 0, "a place is still taken"
    if refused is not None:
        raise refused


async def _probed(data: bytes) -> None:
    context: Any = _Context(unpacked(data))
    await NodeService(_worker()).probe(None, context)


async def _answered(data: bytes) -> None:
    """Whoever asked a node for a segment."""
    wanted, state = _wanted()
    messages = unpacked(data)
    if messages and messages[0][:1] != _HOLDS:
        wanted = dataclasses.replace(wanted, attempt=1)  # who does not wait for what the node holds

    async def emit(event: SegmentEvent) -> None:
        # when a hop began is reckoned from how long it took, and a job's events mind that
        finite(dataclasses.replace(event, start_s=0.0) if isinstance(event, Hop) else event)

    recall = Recall()
    recall.ask(HandBack(7, "lossless", 0.0))
    call: Any = _Call(messages)
    done = await SegmentCall(call, wanted, coded(state), emit=emit, node="edge", recall=recall).result()
    finite(done)


def _parts_alone(data: bytes) -> None:
    """What is put together from messages, before anybody minds what is in it."""
    left_bytes = 10**6

    def check(index: int, body_bytes: int) -> None:
        nonlocal left_bytes
        if index >= 5 or body_bytes > left_bytes:
            raise CapacityExceeded("more than was declared")
        left_bytes -= body_bytes

    reader = PartReader(check)
    for message in unpacked(data):
        for field, body in unpack_all(message):
            arrived = None
            if field == RequestField.PART:
                arrived = reader.take_part(body)
            elif field == RequestField.CHUNK:
                arrived = reader.take_chunk(body)
            if arrived is not None:
                arrived.part.verify()


def _framed() -> list[bytes]:
    large = [Ready(Part.of(bytes(600_000)), 1.0), Ready(Part.of(b"some"), 1.0)]
    return [*_requests()[1:4], *_probes(), packed(list(part_messages(RequestField.PART, 0, large)))]


async def _echoed(data: bytes) -> None:
    call: Any = _Call(unpacked(data))
    await send_probe(call, _parts())


@cache
def _wanted() -> tuple[SegmentOrder, Latent]:
    return dataclasses.replace(order(6, 8, attempt=2), previews=True), undivided(6)


@cache
def _parts() -> tuple[Part, ...]:
    return tuple(Part.of(bytes([number]) * 700) for number in range(3))


async def _said(wanted: SegmentOrder, state: Latent, *extra: bytes) -> tuple[list[bytes], list[bytes]]:
    """What the two sides say to each other in earnest."""
    asking: Any = _Call(())
    sending = SegmentCall(asking, wanted, coded(state), emit=_ignored, node="edge")
    if wanted.attempt > 1:
        sending._out._take_holds(0)
    await sending._send()
    messages = [*asking.written, *extra]
    context: Any = _Context(messages)
    await NodeService(_worker()).run(None, context)
    return messages, context.written


async def _ignored(event: SegmentEvent) -> None:
    del event


@cache
def _conversations() -> tuple[tuple[list[bytes], list[bytes]], ...]:
    full, state = _wanted()
    recall = pack(RequestField.RECALL, seal(node_pb2.RunRecall(step=7, codec="clean", quality_db=50)))
    taken = pack(RequestField.TAKEN, b"")
    return (
        run(_said(order(0, 2), undivided(0))),
        run(_said(order(2, 4), undivided(2), taken, recall)),
        run(_said(full, state, taken)),
        run(_said(dataclasses.replace(full, attempt=1), state, taken)),
        run(_said(dataclasses.replace(full, attempt=1, result_codec="clean", result_db=50.0), state)),
    )


def _requests() -> list[bytes]:
    asked = [messages for messages, _ in _conversations()]
    again = [*asked[2], b"", *asked[2]]  # the same hand-off a second time
    broken_off = [*asked[2][:2], b"", *asked[2]]
    return [packed(messages) for messages in (*asked, again, broken_off)]


def _replies() -> list[bytes]:
    said = [written for _, written in _conversations()]
    return [packed(written) for written in (*said, _with_checkpoint(said[3]))]


def _with_checkpoint(written: Sequence[bytes]) -> list[bytes]:
    """The result as a checkpoint before itself: this engine is too quick to send one."""
    messages = [node_pb2.RunReply.FromString(message) for message in written]
    at = next(index for index, message in enumerate(messages) if message.HasField("result"))
    header = node_pb2.RunCheckpoint(step=7, state=messages[at].result.state)
    seal(header)
    parts = [part for message in messages[at:] for part in message.part]
    extra = (node_pb2.RunReply(checkpoint=header), node_pb2.RunReply(checkpoint_part=parts))
    return [
        *written[:at],
        *(message.SerializeToString(deterministic=True) for message in extra),
        *written[at:],
    ]


@cache
def _probes() -> tuple[bytes, ...]:
    header = node_pb2.ProbeHeader(parts=3, body_bytes=2100)
    ready = [Ready(part, 1.0) for part in _parts()]
    messages = [
        pack(RequestField.PROBE, header.SerializeToString()),
        *part_messages(RequestField.PART, 0, ready),
    ]
    return (packed(messages),)


@cache
def _echoes() -> tuple[bytes, ...]:
    context: Any = _Context(unpacked(_probes()[0]))
    run(NodeService(_worker()).probe(None, context))
    return (packed(context.written),)


def _in_streams(kind: type[Message]) -> Callable[[bytes, bytes, Random], bytes]:
    """Messages are dropped, doubled, moved, taken from elsewhere, or changed inside."""

    def mutate(data: bytes, other: bytes, random: Random) -> bytes:
        messages, others = unpacked(data), unpacked(other) or [b""]
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            if not messages:
                return packed(messages)
            at = random.randrange(len(messages))
            match random.randrange(8):
                case 0:
                    del messages[at]
                case 1:
                    messages.insert(random.randint(0, len(messages)), messages[at])
                case 2:
                    messages[at:] = []
                case 3:
                    messages.insert(at, random.choice(others))
                case 4:
                    messages.insert(random.randint(0, len(messages)), messages.pop(at))
                case 5:
                    messages[at] = mutated_bytes(messages[at], random.choice(others), random)
                case _:
                    messages[at] = _honest_sums(
                        kind, mutated_message(kind, messages[at], random.choice(others), random), random
                    )
        return packed(messages)

    return mutate


def _honest_sums(kind: type[Message], message: bytes, random: Random) -> bytes:
    """Mostly parts and sealed messages get checksums that match, so that what is behind these is reached."""
    if random.random() < 0.25:
        return message
    try:
        read: Any = kind.FromString(message)
    except DecodeError:
        return message
    for field, inner in read.ListFields():
        if field.is_repeated:
            for part in inner:
                part.header.body_bytes = len(part.chunk)
                part.header.checksum = bytes.fromhex(checksum_of(part.chunk))
        elif isinstance(inner, Message) and "checksum" in inner.DESCRIPTOR.fields_by_name:
            seal(inner)
    return bytes(read.SerializeToString(deterministic=True))


_REQUESTS: Final = _in_streams(node_pb2.RunRequest)
_REPLIES: Final = _in_streams(node_pb2.RunReply)

STREAM_TARGETS: Final = (
    Target("parts", "frames", _framed, _REQUESTS, _parts_alone, base_bytes=4 * MIB),
    Target(
        "segments", "frames", _requests, _REQUESTS, lambda data: run(_served(data)),
        base_bytes=8 * MIB, quick_runs=800,
    ),
    Target(
        "replies", "frames", _replies, _REPLIES, lambda data: run(_answered(data)), _REFUSALS,
        base_bytes=8 * MIB, quick_runs=800,
    ),
    Target("probes", "frames", lambda: _probes(), _REQUESTS, lambda data: run(_probed(data)), quick_runs=800),
    Target("echoes", "frames", lambda: _echoes(), _REPLIES, lambda data: run(_echoed(data)), _REFUSALS, quick_runs=800),
)  # fmt: skip
