"""Who calls: what fair shares are counted by, what a journal notes beside a job, and what roles are for."""

import ipaddress
import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

import grpc

from eapg_split.errors import InvalidRequest

LOCAL: Final = "local"
ROLE_PREFIX: Final = "eapg-split:role/"  # a URI among a certificate's names
_MAX_NAME: Final = 128  # characters; a certificate's name may be longer
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}", re.ASCII)
_Context = grpc.aio.ServicerContext


class Role(StrEnum):
    """What a certificate or a token is for: a daemon of a tier, or a person's program."""

    DEVICE = "device"
    EDGE = "edge"
    CLOUD = "cloud"
    CLIENT = "client"


@dataclass(frozen=True)
class Caller:
    """Who calls. Without a role nobody asked who it is: it may do everything."""

    name: str
    role: Role | None = None


identified: ContextVar[Caller | None] = ContextVar("identified", default=None)
"""Whom the authorisation of the call that is served here found; see `rpc.authorisation`."""


def check_name(name: object) -> str:
    """A name that may stand in a certificate, a file's name and a log. Raises InvalidRequest."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in (LOCAL, "ca"):
        raise InvalidRequest(
            f"{str(name)[:64]!r} is not a name: a letter, then at most 62 letters, digits, dots, dashes or"
            " underscores; not 'local' or 'ca'."
        )
    return name


def caller_of(context: "_Context[Any, Any]") -> str:
    """A stable name of the caller: of its token or certificate, `local` on this machine, else its bare address."""
    found = identified.get()
    return found.name if found else _certified_name(context) or _address(context.peer())


def certified(context: "_Context[object, object]") -> Caller:
    """Whom the certificate names; the role is None where it has not exactly one."""
    uris = context.auth_context().get("peer_uri", ())
    roles = {uri.removeprefix(ROLE_PREFIX) for uri in _texts(uris) if uri.startswith(ROLE_PREFIX)}
    role = roles.pop() if len(roles) == 1 else ""
    return Caller(caller_of(context), Role(role) if role in tuple(Role) else None)


def is_local(context: "_Context[Any, Any]") -> bool:
    """Whether the call comes from this machine."""
    return _address(context.peer()) == LOCAL


def _certified_name(context: "_Context[object, object]") -> str:
    names = list(_texts(context.auth_context().get("x509_common_name", ())))
    return names[0][:_MAX_NAME] if names else ""


def _texts(values: Iterable[bytes]) -> Iterable[str]:
    return (value.decode("utf-8", "replace") for value in values)


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
