"""A page over plain HTTP for a scraper: one path, few connections, short requests."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.runtime.addresses import is_loopback_host

MAX_CONNECTIONS: Final = 8
MAX_REQUEST_BYTES: Final = 8192
_PATIENCE_S: Final = 5.0
_END: Final = b"\r\n\r\n"

Page = Callable[[], Awaitable[tuple[str, bytes]]]
"""Makes the page: its content type and its bytes."""


@asynccontextmanager
async def scraped(address: str, page: Page, *, public: bool) -> AsyncIterator[str]:
    """Serves `/metrics` at HOST:PORT for as long as the block lasts; yields where, with the port that was taken.

    Raises InvalidRequest where nothing can listen there, and, unless `public`, where other machines can reach it.
    """
    host, port = await _resolved(address)
    if not public and not is_loopback_host(host):
        raise InvalidRequest(
            f"Metrics at {address} could be read by other machines: choose 127.0.0.1, or add --metrics-public."
        )
    visitors = _Visitors(page)
    try:
        server = await asyncio.start_server(visitors.visit, host, port, limit=MAX_REQUEST_BYTES)
    except OSError as error:
        raise InvalidRequest(
            f"Cannot show metrics at {address} ({error.strerror}): choose another address for --metrics."
        ) from error
    try:
        taken = server.sockets[0].getsockname()[1]
        yield f"[{host}]:{taken}" if ":" in host else f"{host}:{taken}"
    finally:
        server.close()
        visitors.leave()


async def _resolved(address: str) -> tuple[str, int]:
    """The IP address that the host stands for, and the port."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    with suppress(OSError, ValueError, OverflowError):
        loop = asyncio.get_running_loop()
        if host and 0 <= int(port) <= 65535:
            found = await loop.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
            return str(found[0][4][0]), int(port)
    raise InvalidRequest(
        f"--metrics {address!r} is not an address: write HOST:PORT, for example 127.0.0.1:9464."
    )


class _Visitors:
    """Whoever is connected now."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._tasks: set[asyncio.Task[object]] = set()

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= MAX_CONNECTIONS:
                async with asyncio.timeout(_PATIENCE_S):
                    request = await reader.readuntil(_END)
                    writer.write(await self._answer(request))
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    def leave(self) -> None:
        """Waits for nobody any more."""
        for task in self._tasks:
            task.cancel()

    async def _answer(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"")
        if path != b"/metrics":
            return _response("404 Not Found", "text/plain", b"The metrics are at /metrics.\n")
        kind, body = await self._page()
        return _response("200 OK", kind, body, head=method == b"HEAD")


def _response(status: str, kind: str, body: bytes, *, head: bool = False) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + _END + (b"" if head else body)
