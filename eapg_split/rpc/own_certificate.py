"""What is wrong with a certificate of our own, found without asking anybody: it shakes hands with itself in memory.

The other side of a TLS connection only hangs up on a certificate that it does not like.
"""

import ssl
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest, Unauthenticated
from eapg_split.runtime.settings import TlsFiles

# OpenSSL's X509_V_ERR_…
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_INVALID_PURPOSE: Final = 26


def check_pair(cert: Path, key: Path) -> None:
    """Raises InvalidRequest where the key is not that of the certificate, or either makes no sense."""
    _with_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)


def check_calling(tls: TlsFiles) -> None:
    """Raises Unauthenticated where nobody who trusts `tls.ca` would take `tls.cert` of a caller; all is well without.

    Raises InvalidRequest for files that cannot be used.
    """
    if fault := _fault(tls, serving=False):
        raise Unauthenticated(_words(tls, fault))


def check_serving(tls: TlsFiles) -> None:
    """The same for a daemon, except that the others may know its authority where we do not."""
    fault = _fault(tls, serving=True)
    if fault and fault.verify_code in (_NOT_YET_VALID, _EXPIRED, _INVALID_PURPOSE):
        raise Unauthenticated(_words(tls, fault))


def _fault(tls: TlsFiles, *, serving: bool) -> ssl.SSLCertVerificationError | None:
    if tls.cert is None or tls.key is None:
        return None
    caller, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    caller.check_hostname, caller.verify_mode = False, ssl.CERT_NONE
    for context in (caller, server):
        _with_pair(context, tls.cert, tls.key)
    verifies = caller if serving else server
    try:
        verifies.load_verify_locations(tls.ca)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidRequest(f"{tls.ca} holds no certificate that can be trusted: check 'ca'.") from error
    verifies.verify_mode = ssl.CERT_REQUIRED
    try:
        _shake_hands(caller, server)
    except ssl.SSLCertVerificationError as error:
        return error
    return None


def _words(tls: TlsFiles, fault: ssl.SSLCertVerificationError) -> str:
    if fault.verify_code == _EXPIRED:
        return f"Our certificate {tls.cert} has expired: renew it with 'eapg-split certs issue NAME --force'."
    if fault.verify_code == _NOT_YET_VALID:
        return f"Our certificate {tls.cert} is not valid yet: check the clock of this machine."
    if fault.verify_code == _INVALID_PURPOSE:
        return f"Our certificate {tls.cert} is not for this: a daemon's is issued with its --tier, not for a client."
    return (
        f"Our certificate {tls.cert} was not signed by {tls.ca} ({fault.verify_message}): take one that the"
        " topology's own authority issued."
    )


def _with_pair(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    def no_password() -> str:
        raise InvalidRequest(f"{key} is locked by a password, which a daemon cannot ask for: unlock a copy.")

    try:
        context.load_cert_chain(cert, key, password=no_password)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidRequest(
            f"{key} is not the private key of {cert}: take the two files that were issued together."
        ) from error


def _shake_hands(caller: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Raises SSLCertVerificationError. What the two say to each other never leaves memory."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (caller.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True))
    waiting = True
    while waiting:
        waiting = False
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting = True
