"""A caller keeps its name from one call to the next."""

from collections.abc import Mapping
from typing import cast

import grpc
import pytest

from eapg_split.rpc.callers import caller_of


class Context:
    def __init__(self, peer: str, auth: Mapping[str, list[bytes]]) -> None:
        self._peer, self._auth = peer, auth

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return self._auth


def name(peer: str, auth: Mapping[str, list[bytes]] | None = None) -> str:
    return caller_of(cast("grpc.aio.ServicerContext[object, object]", Context(peer, auth or {})))


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:127.0.0.1:39930", "local"),
        ("ipv6:%5B::1%5D:39930", "local"),
        ("ipv6:[::ffff:127.0.0.1]:39930", "local"),
        ("unix:", "local"),
        ("unix:/tmp/edge.sock", "local"),
        ("unix-abstract:edge", "local"),
        ("ipv4:10.0.0.2:39930", "10.0.0.2"),
        ("ipv6:%5B2001:db8::1%5D:80", "2001:db8::1"),
        ("ipv6:[::ffff:10.0.0.2]:80", "10.0.0.2"),
        ("ipv6:[fe80::1%25eth0]:80", "fe80::1%eth0"),
        ("vsock:3:4", "vsock:3:4"),
    ],
)
def test_addresses_without_their_ports(peer: str, expected: str) -> None:
    assert name(peer) == expected


def test_a_certificate_says_more_than_an_address() -> None:
    assert name("ipv4:127.0.0.1:1", {"x509_common_name": [b"edge-1"]}) == "edge-1"
    assert name("ipv4:10.0.0.2:1", {"x509_common_name": []}) == "10.0.0.2"
