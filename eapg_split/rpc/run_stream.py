"""Both ways of one stream on the node: what comes, what goes, and an end that the other side hears rightly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from eapg_split.rpc.incoming import Incoming, open_incoming
from eapg_split.rpc.outbox import Outbox, open_outbox
from eapg_split.rpc.wire import ReplyField, pack


@dataclass(frozen=True)
class RunStream:
    """Made by `open_stream`."""

    incoming: Incoming
    outbox: Outbox


@asynccontextmanager
async def open_stream(
    context: "grpc.aio.ServicerContext[bytes, bytes]", silence_s: float
) -> AsyncIterator[RunStream]:
    """The stream for as long as the block lasts.

    Either side is given up that is silent for `silence_s` where the other one waits. A client of grpc.aio that writes
    to a call which has ended never learns why it ended. So the call ends, well or not, when its sender has stopped.
    """

    async def write(message: bytes) -> None:
        async with asyncio.timeout(silence_s):
            await context.write(message)

    async with open_incoming(context.read, silence_s) as incoming, open_outbox(write) as outbox:
        try:
            yield RunStream(incoming, outbox)
        except Exception:
            outbox.say(pack(ReplyField.FAILING, b""))
            await incoming.ended()
            raise
        await incoming.ended()
