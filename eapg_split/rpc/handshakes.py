"""Why a connection was refused: what gRPC says of a TLS handshake, as a sentence that says how to mend it."""

from typing import Final

import grpc

from eapg_split.errors import EapgError, InvalidRequest, NodeUnavailable, Unauthenticated
from eapg_split.rpc.access import Access
from eapg_split.rpc.own_certificate import check_calling

_NOT_CONNECTED: Final = ("failed to connect to all addresses", "connections to all backends failing")
_HUNG_UP: Final = ("Socket closed", "Handshake read failed", "Connection reset", "recvmsg")
_REFUSALS: Final = (
    ("certificate has expired", "has expired: renew it there with 'eapg-split certs issue'"),
    ("certificate is not yet valid", "is not valid yet: check the clocks of both machines"),
    ("Hostname Verification Check", "is for other hosts than this address: issue it with --host"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "was not signed by our authority for serving: check 'ca' here, and 'cert' there",
    ),
)


def refusal(error: grpc.aio.AioRpcError, node: str, access: Access) -> EapgError | None:
    """What a call ended with that was never sent, as its connection was refused; None for all others."""
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return None
    details = error.details() or ""
    for words, sentence in _REFUSALS:
        if words in details:
            return Unauthenticated(f"The certificate of node {node} {sentence}.", node_id=node)
    if "WRONG_VERSION_NUMBER" in details:
        return NodeUnavailable(
            f"Node {node} does not speak TLS: start it with --tls-cert and --tls-key, or leave TLS out here.",
            node_id=node,
        )
    connecting = any(words in details for words in _NOT_CONNECTED)
    if not (connecting and any(words in details for words in _HUNG_UP)):
        return None
    return _hung_up(node, access)


def _hung_up(node: str, access: Access) -> EapgError:
    """The other side says no more than that; what we showed is looked at here."""
    if access.tls is None:
        hint = "if it asks for TLS, give the certificates; else check what listens there"
        return NodeUnavailable(f"Node {node} closed the connection at once: {hint}.", node_id=node)
    try:
        check_calling(access.tls)
    except Unauthenticated as error:
        error.node_id = node
        return error
    except InvalidRequest:
        pass  # the files are being replaced just now
    if access.tls.cert is None:
        hint = "it may ask for a certificate, and we have none to show: take one from its authority"
    else:
        hint = "it may not trust the authority of our certificate, or its clock is wrong: compare its ca with ours"
    return NodeUnavailable(f"Node {node} closed the connection at once: {hint}.", node_id=node)
