"""Both ways of one stream on the node: what comes, what goes, and an end that the other side hears rightly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import grpc

from eapg_split.rpc.incoming import Incoming, open_incoming
from eapg_split.rpc.outbox import Outbox, open_outbox
from eapg_split.rpc.pulse import HEARTBEAT_S
from eapg_split.rpc.v1 import node_pb2
from eapg_split.rpc.wire import ReplyField, pack


def alive(*, waits: bool) -> bytes:
    """What a node says that has nothing else to say; `waits` while the segment has no place on it."""
    return pack(ReplyField.ALIVE, node_pb2.RunAlive(waits=waits).SerializeToString())


def _outbox(write: Callable[[bytes], Awaitable[None]], *, beats: bool) -> AbstractAsyncContextManager[Outbox]:
    if not beats:
        return open_outbox(write)
    return open_outbox(write, beat=alive(waits=True), beat_s=HEARTBEAT_S)


@dataclass(frozen=True)
class RunStream:
    """Made by `open_stream`."""

    incoming: Incoming
    outbox: Outbox


@asynccontextmanager
async def open_stream(
    context: "grpc.aio.ServicerContext[bytes, bytes]", silence_s: float, *, beats: bool = False
) -> AsyncIterator[RunStream]:
    """The stream for as long as the block lasts; with `beats` it is never silent for longer than a heartbeat.

    Either side is given up that is silent for `silence_s` where the other one waits. A client of grpc.aio that writes
    to a call which has ended never learns why it ended. So the call ends, well or not, when its sender has stopped.
    """

    async def write(message: bytes) -> None:
        async with asyncio.timeout(silence_s):
            await context.write(message)

    async with open_incoming(context.read, silence_s) as incoming, _outbox(write, beats=beats) as outbox:
        try:
            yield RunStream(incoming, outbox)
        except Exception:
            outbox.say(pack(ReplyField.FAILING, b""))
            await incoming.ended()
            raise
        await incoming.ended()
