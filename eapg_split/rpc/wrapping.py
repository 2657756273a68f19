"""Puts something around the handlers of our services, whatever the shape of their calls.

Our streaming handlers are coroutines that write to their context, so one wrapper serves all shapes.
"""

from collections.abc import Awaitable, Callable
from typing import cast

import grpc

Context = grpc.aio.ServicerContext
Behaviour = Callable[[object, "Context[object, object]"], Awaitable[object]]
Handler = grpc.RpcMethodHandler
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable["Handler[object, object]"]]
_MakeHandler = Callable[[Behaviour, object, object], "Handler[object, object]"]


def is_ours(method: str) -> bool:
    """Whether a method is of our services, not of health or reflection."""
    return method.startswith("/eapg_split.")


def behaviour_of(handler: "Handler[object, object]") -> Behaviour:
    """What serves a call of one of our methods."""
    return _shape(handler)[1]


def with_behaviour(
    handler: "Handler[object, object]", behaviour: Behaviour, *, raw: bool = False
) -> "Handler[object, object]":
    """The same handler with another behaviour, which gets a request's bytes where `raw` says so."""
    return _shape(handler)[0](
        behaviour, None if raw else handler.request_deserializer, handler.response_serializer
    )


def _shape(handler: "Handler[object, object]") -> tuple[_MakeHandler, Behaviour]:
    if handler.request_streaming:
        shape: tuple[object, object] = (grpc.stream_stream_rpc_method_handler, handler.stream_stream)
    elif handler.response_streaming:
        shape = (grpc.unary_stream_rpc_method_handler, handler.unary_stream)
    else:
        shape = (grpc.unary_unary_rpc_method_handler, handler.unary_unary)
    # the stubs describe synchronous handlers only
    return cast(_MakeHandler, shape[0]), cast(Behaviour, shape[1])
