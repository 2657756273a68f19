"""What a daemon says of its state to whoever asks by gRPC's health service, and reflection beside it.

A node is NOT_SERVING until its engine is open, so also for good where its weights cannot be used, SERVING from then on,
and NOT_SERVING again from the moment at which it drains.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from eapg_split.errors import InvalidRequest, NodeUnavailable, SessionNotFound
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.channels import open_channel
from eapg_split.rpc.client import errors_of

_CHECK: Final = f"/{health.SERVICE_NAME}/Check"
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_ANSWER_S: Final = 5.0


class Health:
    """One per daemon; it speaks of `services` and, by the empty name, of the daemon as a whole."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = tuple(services)
        self._servicer = health.aio.HealthServicer()  # type: ignore[attr-defined]  # the stubs lack it

    async def add_to(self, server: grpc.aio.Server) -> None:
        """Adds health and reflection to a server that has not started; the node is not serving yet."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        await self._say(_NOT_SERVING)
        names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)

    async def ready(self) -> None:
        """The engine is open: the node serves. Changes nothing once it drains."""
        await self._say(_SERVING)

    async def draining(self) -> None:
        """The node stops: it will not serve any more."""
        await self._servicer.enter_graceful_shutdown()

    async def _say(self, status: "health_pb2.HealthCheckResponse.ServingStatus.ValueType") -> None:
        for name in ("", *self._services):
            await self._servicer.set(name, status)


async def is_serving(address: str, service: str = "", access: Access = LOOPBACK) -> bool:
    """Whether the daemon at `address` says that it serves, as a whole or by one of its services.

    Raises NodeUnavailable where nobody answers within 5 s, InvalidRequest for a service that it does not have.
    """
    channel = open_channel(address, access)
    try:
        async with errors_of(address, access), asyncio.timeout(_ANSWER_S):
            call = channel.unary_unary(
                _CHECK,
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = await call(health_pb2.HealthCheckRequest(service=service))
    except SessionNotFound:
        raise InvalidRequest(
            f"{address} has no service {service!r}: leave it out to ask for the daemon as a whole."
        ) from None
    except TimeoutError:
        raise NodeUnavailable(f"{address} has not answered within {_ANSWER_S:g} s.") from None
    finally:
        await channel.close(None)
    return bool(answer.status == _SERVING)
