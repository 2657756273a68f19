"""W3C Trace Context in gRPC's metadata: what the spans of a call's other end belong to."""

from collections.abc import Iterable
from typing import Final, cast

import grpc

from eapg_split.runtime.instruments import traceparent

_KEY: Final = "traceparent"


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """What a call says of the span that it is made in; nothing where nobody traces."""
    parent = traceparent()
    return ((_KEY, parent),) if parent else ()


def parent_of(context: "grpc.aio.ServicerContext[bytes, bytes]") -> str:
    """What the caller said, whatever that is; empty where it said nothing."""
    # the stubs do not know that grpc.aio's metadata is iterated as pairs
    pairs = cast("Iterable[tuple[str, str | bytes]]", context.invocation_metadata() or ())
    return next((value for key, value in pairs if key == _KEY and isinstance(value, str)), "")
