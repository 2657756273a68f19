"""Who may call what: one table, and the interceptor that looks at it before a request is even parsed.

Where a daemon asks nobody who it is (loopback without credentials, or --insecure), everybody may call everything.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, cast

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from eapg_split.errors import AccessDenied, EapgError, InvalidRequest, Unauthenticated
from eapg_split.planner import is_code
from eapg_split.rpc import methods
from eapg_split.rpc.callers import Caller, Role, caller_of, certified, identified, is_local
from eapg_split.rpc.run_stream import open_stream
from eapg_split.rpc.status import to_status
from eapg_split.rpc.tokens import TokenBook
from eapg_split.rpc.wrapping import Context, Continuation, Handler, behaviour_of, is_ours, with_behaviour
from eapg_split.runtime.settings import DaemonSettings, PolicyCode

_NODES: Final = frozenset({Role.DEVICE, Role.EDGE, Role.CLOUD})
_EVERYBODY: Final = frozenset(Role)
_CHECK: Final = f"/{health.SERVICE_NAME}/Check"  # for all: probes have no credentials
_PARTING_S: Final = 2.0  # for a stream's sender to hear that it is refused
_SCHEME: Final = "Bearer "

ROLES: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        methods.NODE_SERVICE: _NODES,
        methods.DESCRIBE: _EVERYBODY,
        methods.TELEMETRY: _EVERYBODY,
        methods.JOB_SERVICE: frozenset({Role.CLIENT}),
        health.SERVICE_NAME: _EVERYBODY,
        reflection.SERVICE_NAME: _EVERYBODY,
    }
)
"""The roles that may call a method, or else its service; nobody may call what is in neither.

Health's Check is for all who can connect."""


def allowed(method: str) -> frozenset[Role]:
    """The roles that may call `/service/method`."""
    return ROLES.get(method) or ROLES.get(method.strip("/").partition("/")[0], frozenset())


class Authoriser(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # not generic when it runs
    """Lets a call through to its handler, or ends it with Unauthenticated or AccessDenied."""

    def __init__(self, settings: DaemonSettings) -> None:
        """Raises InvalidRequest for a file of tokens that cannot be used."""
        self._tokens = TokenBook(settings.tokens) if settings.tokens is not None else None
        self._certificates = settings.tls is not None and self._tokens is None

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "Handler[object, object]":
        """The handler for a call, behind the check; None, whatever the stubs say, where there is none."""
        handler = await continuation(handler_call_details)
        method, found = handler_call_details.method, cast(object, handler)
        if found is None or method == _CHECK:
            return handler
        if is_ours(method):
            return self._ours(handler, method)
        watch = method.startswith(f"/{health.SERVICE_NAME}/")
        return self._watch(handler, method) if watch else self._reflection(handler, method)

    def _ours(self, handler: "Handler[object, object]", method: str) -> "Handler[object, object]":
        inner, parse = behaviour_of(handler), handler.request_deserializer

        async def behaviour(request: object, context: "Context[Any, Any]") -> object:
            try:
                identified.set(self._admitted(method, context))
            except EapgError:
                if handler.request_streaming:
                    async with open_stream(context, _PARTING_S):
                        raise
                raise
            if parse is not None:
                request = _parsed(parse, request)
            return await inner(request, context)

        return with_behaviour(handler, behaviour, raw=True)

    def _watch(self, handler: "Handler[object, object]", method: str) -> "Handler[object, object]":
        """Health's stream: it stays open, so strangers could take the places of all others with it."""
        inner = behaviour_of(handler)

        async def behaviour(request: object, context: "Context[object, object]") -> object:
            await self._check(method, context)
            return await inner(request, context)

        return with_behaviour(handler, behaviour)

    def _reflection(self, handler: "Handler[object, object]", method: str) -> "Handler[object, object]":
        """It shows the whole interface, so only whoever is known, or on this machine, may ask."""
        inner = cast("Callable[[object, object], AsyncIterator[object]]", handler.stream_stream)

        async def behaviour(requests: object, context: "Context[object, object]") -> AsyncIterator[object]:
            await self._check(method, context, unless_local=True)
            async for reply in inner(requests, context):
                yield reply

        # the stubs describe synchronous handlers only
        return grpc.stream_stream_rpc_method_handler(
            cast("Callable[..., Iterator[object]]", behaviour),
            handler.request_deserializer,
            handler.response_serializer,
        )

    async def _check(
        self, method: str, context: "Context[object, object]", *, unless_local: bool = False
    ) -> None:
        """Ends a call of a standard service whose caller may not make it, or is unknown and elsewhere."""
        try:
            if self._admitted(method, context).role is None and unless_local and not is_local(context):
                raise Unauthenticated("Reflection is for callers that this node knows, or on its machine.")
        except EapgError as error:
            await context.abort(*to_status(error))

    def _admitted(self, method: str, context: "Context[object, object]") -> Caller:
        """Who calls. Raises Unauthenticated and AccessDenied."""
        if self._tokens is not None:
            caller = self._tokens.bearer(_token_in(context))
        elif self._certificates:
            caller = certified(context)
        else:
            return Caller(caller_of(context))
        may = allowed(method)
        if caller.role in may:
            return caller
        what, roles = method.rpartition("/")[2], " or ".join(role for role in Role if role in may) or "nobody"
        if caller.role is None:
            raise AccessDenied(
                f"The certificate of {caller.name!r} has no role: issue it with 'eapg-split certs issue"
                f" {caller.name} --tier …'; {what} is for {roles}."
            )
        raise AccessDenied(
            f"{caller.name!r} has the role {caller.role} and {what} is for {roles}: use a certificate or token of"
            " such a role."
        )


def check_policy(name: str, rule: PolicyCode, context: "Context[Any, Any]") -> None:
    """Raises AccessDenied for a policy that is code where the daemon does not take any from this caller."""
    if not is_code(name) or rule is PolicyCode.ANY or (rule is PolicyCode.LOCAL and is_local(context)):
        return
    whose = "from anybody" if rule is PolicyCode.NONE else "from other machines"
    raise AccessDenied(
        f"This device takes no policy as code {whose}: name one that it has ('eapg-split policy list' there), or"
        " start it with --policy-code any if every client may run programs on it."
    )


def _token_in(context: "Context[object, object]") -> str:
    """Raises Unauthenticated where none, or more than one, came."""
    metadata = context.invocation_metadata() or ()
    found = [str(value) for key, value in metadata if key == "authorization"]
    if len(found) == 1 and found[0].startswith(_SCHEME):
        return found[0].removeprefix(_SCHEME)
    raise Unauthenticated(
        "This node asks for a token and none came: name its file (token_file in the list of nodes, --token-file of"
        " a daemon) or put it into EAPG_SPLIT_TOKEN."
    )


def _parsed(parse: object, request: object) -> object:
    try:
        return cast("Callable[[object], object]", parse)(request)
    except DecodeError as error:
        raise InvalidRequest("The request makes no sense: update the older of the two programs.") from error
