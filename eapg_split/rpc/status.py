"""Our errors on the wire and back: one table, used by the one interceptor and by every client.

The class name travels in trailing metadata, because gRPC emits some of our codes by itself; the bare code is trusted
only where that name is absent.
"""

import logging
import uuid
from collections.abc import Awaitable, Iterable
from types import MappingProxyType
from typing import Final, cast
from urllib.parse import quote, unquote

import grpc
from grpc import StatusCode

from eapg_split.errors import (
    LEAVES,
    MAX_RETRY_AFTER_S,
    AccessDenied,
    CapacityExceeded,
    CorruptPayload,
    DeadlineExceeded,
    EapgError,
    EngineFailure,
    InfeasiblePlan,
    InvalidRequest,
    NodeUnavailable,
    SessionConflict,
    SessionNotFound,
    Unauthenticated,
    Unsupported,
)
from eapg_split.rpc.wrapping import (
    Context,
    Continuation,
    Handler,
    behaviour_of,
    is_ours,
    with_behaviour,
)
from eapg_split.runtime.instruments import SILENT, Instruments

CLASS_KEY: Final = "eapg-error"
NODE_KEY: Final = "eapg-node"
SESSION_KEY: Final = "eapg-session"
JOB_CANCELLED: Final = "The job was cancelled."  # what tells it from a daemon that breaks its calls off
CORRELATION_KEY: Final = "eapg-correlation"
RETRY_KEY: Final = "eapg-retry-after-s"
_MAX_TEXT: Final = 1000  # trailing metadata is bounded
_MAX_NUMBER: Final = 20

_log = logging.getLogger(__name__)
_BY_NAME: Final = MappingProxyType({leaf.__name__: leaf for leaf in LEAVES})
# What gRPC itself, a proxy or another implementation may answer. UNKNOWN, INTERNAL and CANCELLED come from a
# transport that broke or a daemon that stops: the work can go elsewhere.
_BY_CODE: Final = MappingProxyType(
    {
        StatusCode.INVALID_ARGUMENT: InvalidRequest,
        StatusCode.OUT_OF_RANGE: InvalidRequest,
        StatusCode.UNAUTHENTICATED: Unauthenticated,
        StatusCode.PERMISSION_DENIED: AccessDenied,
        StatusCode.UNIMPLEMENTED: Unsupported,
        StatusCode.FAILED_PRECONDITION: InfeasiblePlan,
        StatusCode.NOT_FOUND: SessionNotFound,
        StatusCode.ABORTED: SessionConflict,
        StatusCode.RESOURCE_EXHAUSTED: CapacityExceeded,
        StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
        StatusCode.DATA_LOSS: CorruptPayload,
    }
)


class CancelledByRequestError(Exception):
    """The job was cancelled through JobService.Cancel; only the interceptor sees this."""


Metadata = tuple[tuple[str, str], ...]


def to_status(error: EapgError) -> tuple[StatusCode, str, Metadata]:
    """Code, details and trailing metadata for an error."""
    trailing = [(CLASS_KEY, type(error).__name__)]
    for key, value in ((NODE_KEY, error.node_id), (SESSION_KEY, error.session_id)):
        if value:
            trailing.append((key, quote(value[:_MAX_TEXT])))
    if isinstance(error, CapacityExceeded) and error.retry_after_s is not None:
        trailing.append((RETRY_KEY, f"{error.retry_after_s:.3f}"))
    return StatusCode[error.code], error.message[:_MAX_TEXT], tuple(trailing)


def from_status(
    code: StatusCode, details: str, trailing: Iterable[tuple[str, str | bytes]], *, node: str
) -> EapgError:
    """The error that a call to `node` ended with."""
    found = {key: value for key, value in trailing if isinstance(value, str)}
    node_id = unquote(found.get(NODE_KEY, "")) or node
    session_id = unquote(found.get(SESSION_KEY, "")) or None
    leaf = _BY_NAME.get(found.get(CLASS_KEY, "")) or _BY_CODE.get(code)
    if leaf is None and CORRELATION_KEY in found:
        leaf, details = EngineFailure, f"Node {node} failed: {details}"
    if leaf is None:
        _log.info("call to %s ended with %s: %s", node, code, details)
        leaf, details = NodeUnavailable, f"Node {node} cannot be reached: check that it runs and its address."
    error = leaf(details or f"Node {node} answered {code.name}.", node_id=node_id, session_id=session_id)
    if isinstance(error, CapacityExceeded):
        error.retry_after_s = _seconds(found.get(RETRY_KEY, ""))
    return error


def _seconds(text: str) -> float | None:
    """A number of seconds within the bounds; anything else that another node says is passed over."""
    try:
        seconds = float(text[:_MAX_NUMBER])
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_RETRY_AFTER_S else None


def from_rpc_error(error: grpc.aio.AioRpcError, node: str) -> EapgError:
    """The same for what grpc.aio raises."""
    # the stubs do not know that grpc.aio's metadata is iterated as pairs
    trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    return from_status(error.code(), error.details() or "", trailing, node=node)


async def reported(
    call: Awaitable[object], context: "Context[object, object]", *, streams: bool = False
) -> object:
    """Awaits a handler and ends the call with the status of what it raised. `streams` says that it answers a stream.

    The error that `abort` raises is kept by its call, and its traceback keeps the call, with all that was read of it,
    until the garbage collector comes by. A stream, which has something to be kept, ends with its status instead.
    """
    try:
        return await call
    except EapgError as error:
        status = to_status(error)
    except MemoryError:
        status = to_status(CapacityExceeded("The node ran out of memory: place the work elsewhere."))
    except CancelledByRequestError:
        status = StatusCode.CANCELLED, JOB_CANCELLED, ()
    except Exception:
        correlation = uuid.uuid4().hex[:12]
        _log.exception("unforeseen error, correlation id %s", correlation)
        details = f"An unforeseen error; its log has it under the correlation id {correlation}."
        status = StatusCode.INTERNAL, details, ((CORRELATION_KEY, correlation),)
    if not streams:
        await context.abort(*status)
    code, details, trailing = status
    context.set_code(code)
    context.set_details(details)
    context.set_trailing_metadata(trailing)
    return None


class ErrorTranslator(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # not generic when it runs
    """Wraps every handler of our services; the standard ones (health, reflection) speak gRPC themselves."""

    def __init__(self, instruments: Instruments = SILENT) -> None:
        self._instruments = instruments

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "Handler[object, object]":
        """The handler for a call, wrapped where it is ours; None, whatever the stubs say, where there is none."""
        handler = await continuation(handler_call_details)
        ours: object = handler
        if ours is None or not is_ours(handler_call_details.method):
            return handler
        inner, name = behaviour_of(handler), handler_call_details.method.rpartition("/")[2]

        async def behaviour(request: object, context: "Context[object, object]") -> object:
            call = self._told(name, inner(request, context))
            return await reported(call, context, streams=handler.response_streaming)

        return with_behaviour(handler, behaviour)

    async def _told(self, name: str, call: Awaitable[object]) -> object:
        try:
            return await call
        except Exception as error:
            self._instruments.refused(name, error)
            raise
