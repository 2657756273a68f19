"""A channel to one daemon that shows our token, knows when its files have changed, and ends after its last call."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

import grpc

from eapg_split.errors import InvalidRequest
from eapg_split.rpc import methods
from eapg_split.rpc.access import Access, Token
from eapg_split.rpc.credential_files import Watched
from eapg_split.rpc.security import channel_credentials, check_clear_text, is_loopback

_Untyped = Callable[..., Any]  # grpc.aio's calls differ by shape, and all of them are handled alike here


def open_channel(address: str, access: Access) -> "Channel":
    """A channel that connects at its first call. Raises InvalidRequest for clear text or a token beyond loopback."""
    tls = access.tls
    check_clear_text(address, tls, insecure=access.insecure)
    watched = Watched((*(tls.paths if tls else ()), access.token_file))
    token = access.token()
    if tls is not None:
        bare = grpc.aio.secure_channel(address, channel_credentials(tls), options=methods.CHANNEL_OPTIONS)
        return Channel(bare, token, watched)
    if token is not None and not is_loopback(address):
        raise InvalidRequest(
            f"A token must not go to {address} in the clear, not even with --insecure: give [tls] with the ca of"
            " that node."
        )
    return Channel(grpc.aio.insecure_channel(address, options=methods.CHANNEL_OPTIONS), token, watched)


class Channel(grpc.aio.Channel):
    """What a GrpcPeer and a program call through; it counts its calls."""

    def __init__(self, bare: grpc.aio.Channel, token: Token | None, watched: Watched) -> None:
        self._bare = bare
        self._metadata = token.metadata if token else ()
        self._watched = watched
        self._running = 0
        self._closing: asyncio.Task[None] | None = None
        self._retired = False

    def outdated(self) -> bool:
        """Says once of each change that the files it was opened with have changed."""
        return self._watched.changed()

    def retire(self) -> None:
        """Closes it once its last call has ended."""
        self._retired = True
        self._close_if_idle()

    async def close(self, grace: float | None = None) -> None:
        """Ends its calls and closes it."""
        await self._bare.close(grace)

    def unary_unary(
        self, method: str, *serialisers: object, **named: object
    ) -> "grpc.aio.UnaryUnaryMultiCallable[Any, Any]":
        return cast(
            "grpc.aio.UnaryUnaryMultiCallable[Any, Any]",
            self._calls(self._bare.unary_unary, method, serialisers, named),
        )

    def unary_stream(
        self, method: str, *serialisers: object, **named: object
    ) -> "grpc.aio.UnaryStreamMultiCallable[Any, Any]":
        return cast(
            "grpc.aio.UnaryStreamMultiCallable[Any, Any]",
            self._calls(self._bare.unary_stream, method, serialisers, named),
        )

    def stream_unary(
        self, method: str, *serialisers: object, **named: object
    ) -> "grpc.aio.StreamUnaryMultiCallable[Any, Any]":
        return cast(
            "grpc.aio.StreamUnaryMultiCallable[Any, Any]",
            self._calls(self._bare.stream_unary, method, serialisers, named),
        )

    def stream_stream(
        self, method: str, *serialisers: object, **named: object
    ) -> "grpc.aio.StreamStreamMultiCallable[Any, Any]":
        return cast(
            "grpc.aio.StreamStreamMultiCallable[Any, Any]",
            self._calls(self._bare.stream_stream, method, serialisers, named),
        )

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._bare.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._bare.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._bare.channel_ready()

    async def __aenter__(self) -> "Channel":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _calls(
        self, open_calls: _Untyped, method: str, serialisers: tuple[object, ...], named: dict[str, object]
    ) -> _Untyped:
        calls = open_calls(method, *serialisers, **named)

        def call(
            *request: object, metadata: Iterable[tuple[str, str]] | None = None, **options: object
        ) -> object:
            running = calls(*request, metadata=(*(metadata or ()), *self._metadata), **options)
            self._running += 1
            running.add_done_callback(self._ended)
            return running

        return call

    def _ended(self, call: object) -> None:
        del call
        self._running -= 1
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._retired and not self._running and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._bare.close(None))
