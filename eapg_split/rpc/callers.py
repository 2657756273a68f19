"""Who calls: what fair shares are counted by, and what a journal notes beside a job."""

import ipaddress
from typing import Final
from urllib.parse import unquote

import grpc

LOCAL: Final = "local"
_MAX_NAME: Final = 128  # characters; a certificate's name may be longer


def caller_of(context: "grpc.aio.ServicerContext[object, object]") -> str:
    """A stable name of the caller: of its certificate, `local` on this machine, else its address without the port."""
    return _certified(context) or _address(context.peer())


def _certified(context: "grpc.aio.ServicerContext[object, object]") -> str:
    names = context.auth_context().get("x509_common_name", ())
    return b"".join(list(names)[:1]).decode("utf-8", "replace")[:_MAX_NAME]


def _address(peer: str) -> str:
    """Of what gRPC calls a peer, for example `ipv4:10.0.0.2:39930`, `ipv6:%5B::1%5D:39930` or `unix:`."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return LOCAL if kind.startswith("unix") else peer[:_MAX_NAME]
    host = rest.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host[:_MAX_NAME]
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return LOCAL if (mapped or found).is_loopback else str(mapped or found)
