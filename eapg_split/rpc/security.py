"""Credentials from PEM files, and the rule that nothing but loopback is spoken in the clear by accident."""

import logging

import grpc

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.credential_files import Watched, read_pem
from eapg_split.rpc.own_certificate import check_pair
from eapg_split.runtime.addresses import is_loopback_host
from eapg_split.runtime.settings import DaemonSettings, TlsFiles

_log = logging.getLogger(__name__)


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT (or a `unix:` path) cannot be reached from another machine."""
    if address.startswith("unix:"):
        return True
    return is_loopback_host(split_address(address)[0])


def split_address(address: str) -> tuple[str, int]:
    """HOST and PORT of "HOST:PORT" or "[V6]:PORT". Raises InvalidRequest on anything else."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if (
        not colon
        or not host
        or not port.isascii()
        or not port.isdigit()
        or len(port) > 5
        or int(port) > 65535
    ):
        raise InvalidRequest(f"{address!r} is not an address: write HOST:PORT, for example 127.0.0.1:7001.")
    return host, int(port)


def check_clear_text(address: str, tls: TlsFiles | None, *, insecure: bool) -> None:
    """Raises InvalidRequest where `address` leaves this machine without TLS and nobody asked for that."""
    if tls is None and not insecure and not is_loopback(address):
        raise InvalidRequest(
            f"{address} can be reached from other machines: give --tls-ca, --tls-cert and --tls-key,"
            " or --insecure where the network itself is trusted."
        )


def check_listening(settings: DaemonSettings) -> None:
    """Raises InvalidRequest where others could come in unasked, or would have to show a token in the clear."""
    check_clear_text(settings.listen, settings.tls, insecure=settings.insecure)
    if settings.tokens is not None and settings.tls is None and not is_loopback(settings.listen):
        raise InvalidRequest(
            f"{settings.listen} can be reached from other machines, and a token must not go there in the clear:"
            " give --tls-ca, --tls-cert and --tls-key as well."
        )


def server_credentials(tls: TlsFiles, *, ask_for_certificates: bool = True) -> grpc.ServerCredentials:
    """TLS with this node's certificate; callers must show one that `tls.ca` signed, unless they are not asked for it.

    Renewed files are taken up by the next connection; those that do not fit together are left alone. Raises
    InvalidRequest for files that cannot be used.
    """
    watched = Watched(tls.paths)

    def load() -> grpc.ServerCertificateConfiguration:
        if tls.cert is None or tls.key is None:
            raise InvalidRequest("A daemon that listens needs --tls-cert and --tls-key beside --tls-ca.")
        pair = (read_pem(tls.key, secret=True), read_pem(tls.cert))
        check_pair(tls.cert, tls.key)
        return grpc.ssl_server_certificate_configuration([pair], read_pem(tls.ca))

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        if not watched.changed():
            return None
        try:
            return load()
        except InvalidRequest as error:
            _log.warning("the TLS files have changed and cannot be used, so the former ones are: %s", error)
            return None

    return grpc.dynamic_ssl_server_credentials(
        load(),
        renewed,  # type: ignore[arg-type]  # None is for no change, which the stubs do not know
        require_client_authentication=ask_for_certificates,
    )


def channel_credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    """TLS as a client, with a certificate where there is one. Raises InvalidRequest for files that cannot be used."""
    ca = read_pem(tls.ca)
    if tls.cert is None or tls.key is None:
        return grpc.ssl_channel_credentials(ca)
    key, certificate = read_pem(tls.key, secret=True), read_pem(tls.cert)
    check_pair(tls.cert, tls.key)
    return grpc.ssl_channel_credentials(ca, key, certificate)
