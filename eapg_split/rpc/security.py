"""Credentials from PEM files, and the rule that nothing but loopback is spoken in the clear by accident."""

from pathlib import Path

import grpc

from eapg_split.errors import InvalidRequest
from eapg_split.runtime.addresses import is_loopback_host
from eapg_split.runtime.settings import TlsFiles


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT (or a `unix:` path) cannot be reached from another machine."""
    if address.startswith("unix:"):
        return True
    return is_loopback_host(split_address(address)[0])


def split_address(address: str) -> tuple[str, int]:
    """HOST and PORT of "HOST:PORT" or "[V6]:PORT". Raises InvalidRequest on anything else."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidRequest(f"{address!r} is not an address: write HOST:PORT, for example 127.0.0.1:7001.")
    return host, int(port)


def check_clear_text(address: str, tls: TlsFiles | None, *, insecure: bool) -> None:
    """Raises InvalidRequest where `address` leaves this machine without TLS and nobody asked for that."""
    if tls is None and not insecure and not is_loopback(address):
        raise InvalidRequest(
            f"{address} can be reached from other machines: give --tls-ca, --tls-cert and --tls-key,"
            " or --insecure where the network itself is trusted."
        )


def server_credentials(tls: TlsFiles) -> grpc.ServerCredentials:
    """Mutual TLS: clients must show a certificate that `tls.ca` signed. Raises InvalidRequest on unreadable files."""
    pair = (_read(tls.key), _read(tls.cert))
    return grpc.ssl_server_credentials([pair], root_certificates=_read(tls.ca), require_client_auth=True)


def channel_credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    """Mutual TLS as a client. Raises InvalidRequest on unreadable files."""
    return grpc.ssl_channel_credentials(_read(tls.ca), _read(tls.key), _read(tls.cert))


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(
            f"Cannot read {path} ({error.strerror}): check the paths of the TLS files."
        ) from error
    if b"-----BEGIN" not in data:
        raise InvalidRequest(f"{path} is not a PEM file: TLS needs PEM files for ca, cert and key.")
    return data
