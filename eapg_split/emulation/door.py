"""A port of this machine's loopback that leads into a namespace, past all links."""

import asyncio
import contextlib
from typing import Final

from eapg_split.emulation.tun import socket_in
from eapg_split.errors import EapgError

_PIECE: Final = 64 << 10


class Door:
    """Open from `open` to `close`; each connection is carried on to `target`, as it is seen within the namespace."""

    def __init__(self, namespace: int) -> None:
        self.target = ("127.0.0.1", 0)
        self.address = ""
        self._namespace = namespace
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Takes a free port, which `address` then names."""
        self._server = await asyncio.start_server(self._visited, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(writer.close)
            inside = await asyncio.to_thread(socket_in, self._namespace)
            stack.callback(inside.close)
            with contextlib.suppress(OSError, EapgError, asyncio.CancelledError):
                inside.setblocking(False)
                await asyncio.get_running_loop().sock_connect(inside, self.target)
                far_reader, far_writer = await asyncio.open_connection(sock=inside)
                stack.callback(far_writer.close)
                async with asyncio.TaskGroup() as both:
                    both.create_task(_carry(reader, far_writer))
                    both.create_task(_carry(far_reader, writer))


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
        sink.write_eof()
