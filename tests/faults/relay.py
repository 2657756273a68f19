"""A link that can fail: carries the connections to a daemon frame by frame, or loses, garbles or resets them."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from tests.faults.http2 import HEAD_BYTES, Calls, Frames, Sight

_READ_BYTES: Final = 1 << 16
_LARGE_BYTES: Final = 4096
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # closing resets instead of saying goodbye

Notice = Callable[[Sight], Awaitable[None]]


@dataclass(eq=False)
class _Connection:
    """One connection to the relay and the one that it made for it; `lossy` once bytes of it have vanished."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    calls: Calls = field(default_factory=Calls)
    lossy: bool = False

    def reset(self) -> None:
        for writer in (self.near, self.far):
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()


class Relay:
    """Made by `open_relay`. `notice` is told of each frame, and awaited, before the frame goes on."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        self.target = target
        self.port = 0
        self.notice: Notice | None = None
        self._whole = asyncio.Event()
        self._whole.set()
        self._garbled = 0.0
        self._random = random.Random(seed)
        self._open: dict[_Connection, None] = {}

    def black_hole(self) -> None:
        """From now on bytes vanish, and nobody is told."""
        self._whole.clear()

    def garble(self, share: float) -> None:
        """From now on this share of the DATA frames has one wrong bit."""
        self._garbled = share

    def reset(self) -> None:
        """Ends every connection with an RST, to both sides."""
        for each in tuple(self._open):
            each.reset()

    def heal(self) -> None:
        """Carries everything again; connections that lost bytes are reset, as nobody could go on with them."""
        self._garbled, self.notice = 0.0, None
        self._whole.set()
        for each in tuple(self._open):
            if each.lossy:
                each.reset()

    async def carry(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        try:
            there, far = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            near.transport.abort()
            return
        connection = _Connection(near, far)
        self._open[connection] = None
        ways = [
            asyncio.ensure_future(self._pump(connection, reader, far, forth=True)),
            asyncio.ensure_future(self._pump(connection, there, near, forth=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            del self._open[connection]
            near.close()
            far.close()

    async def _pump(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        forth: bool,
    ) -> None:
        frames = Frames(forth=forth)
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                for raw in frames.feed(data):
                    await self._pass(connection, raw, writer, forth=forth)
        if not self._whole.is_set():  # nobody hears of the end either
            connection.lossy = True
            await self._whole.wait()

    async def _pass(
        self, connection: _Connection, raw: bytes, writer: asyncio.StreamWriter, *, forth: bool
    ) -> None:
        sight = connection.calls.sight(raw, forth=forth)
        if sight.data and len(raw) > HEAD_BYTES and self._random.random() < self._garbled:
            connection.lossy = True
            raw = self._flipped(raw)
        for each, piece in _pieces(sight, raw):
            if self.notice is not None:
                await self.notice(each)
            if not self._whole.is_set():
                connection.lossy = True
                return
            writer.write(piece)
            await writer.drain()

    def _flipped(self, raw: bytes) -> bytes:
        """The frame with one wrong bit behind its head."""
        wrong = bytearray(raw)
        wrong[self._random.randrange(HEAD_BYTES, len(raw))] ^= 1 << self._random.randrange(8)
        return bytes(wrong)


def _pieces(sight: Sight, raw: bytes) -> Iterator[tuple[Sight, bytes]]:
    """A frame as it goes on: a large one in two halves, so that something can happen between them."""
    half = len(raw) // 2 if sight.size > _LARGE_BYTES else 0
    if half:
        yield replace(sight, size=half), raw[:half]
        sight = replace(sight, size=sight.size - half, fields=())
    yield sight, raw[half:]


@asynccontextmanager
async def open_relay(target: int, *, seed: int = 0) -> AsyncIterator[Relay]:
    """A relay on loopback to a port of it, for as long as the block lasts."""
    relay = Relay(target, seed=seed)
    server = await asyncio.start_server(relay.carry, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        relay.reset()
