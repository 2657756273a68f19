"""Where a daemon listens, and how it says so."""

import json
import os

import grpc

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.own_certificate import check_serving
from eapg_split.rpc.security import check_listening, server_credentials, split_address
from eapg_split.runtime.settings import DaemonSettings


def bind(server: grpc.aio.Server, settings: DaemonSettings) -> str:
    """Binds and returns the address with the port that was really taken. Raises InvalidRequest and Unauthenticated."""
    check_listening(settings)
    host, _ = split_address(settings.listen)
    try:
        if settings.tls is None:
            port = server.add_insecure_port(settings.listen)
        else:
            asked = settings.tokens is None
            credentials = server_credentials(settings.tls, ask_for_certificates=asked)
            check_serving(settings.tls)
            port = server.add_secure_port(settings.listen, credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise InvalidRequest(
            f"Cannot listen on {settings.listen}: the port is in use or the address is not this machine's;"
            " choose another with --listen."
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def announce(settings: DaemonSettings, address: str, metrics: str = "") -> None:
    """Prints one line of JSON, and writes it to the ready file where one is wanted. Raises InvalidRequest.

    `metrics` is where they are shown, empty where they are not.
    """
    ready = {"node": settings.node, "tier": settings.tier, "address": address, "pid": os.getpid()}
    if metrics:
        ready["metrics"] = metrics
    line = json.dumps(ready)
    if settings.ready_file is not None:
        part = settings.ready_file.with_name(f"{settings.ready_file.name}.part")
        try:
            part.write_text(line + "\n", encoding="utf-8")
            part.replace(settings.ready_file)
        except OSError as error:
            raise InvalidRequest(
                f"Cannot write {settings.ready_file} ({error.strerror}): choose another --ready-file."
            ) from error
    print(line, flush=True)
