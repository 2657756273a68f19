"""The table of who may call what, and whose policies are run as code."""

from collections.abc import Mapping
from typing import cast

import grpc
import pytest

from eapg_split.errors import AccessDenied
from eapg_split.rpc import methods
from eapg_split.rpc.authorisation import allowed, check_policy
from eapg_split.rpc.callers import Role
from eapg_split.rpc.v1 import job_pb2, node_pb2
from eapg_split.runtime.settings import PolicyCode

NODES = {Role.DEVICE, Role.EDGE, Role.CLOUD}


def test_every_method_has_a_row_and_what_has_none_is_for_nobody() -> None:
    for service in (
        node_pb2.DESCRIPTOR.services_by_name["NodeService"],
        job_pb2.DESCRIPTOR.services_by_name["JobService"],
    ):
        for method in service.methods:
            assert allowed(f"/{service.full_name}/{method.name}"), method.name
    assert allowed("/eapg_split.rpc.v1.Other/Do") == frozenset()
    assert allowed("") == frozenset()


@pytest.mark.parametrize("method", [methods.RUN, methods.PREPARE, methods.PROBE])
def test_nodes_work_for_nodes(method: str) -> None:
    assert allowed(method) == NODES


@pytest.mark.parametrize("method", [methods.GENERATE, methods.CANCEL, methods.LIST, methods.OUTLOOK])
def test_jobs_are_for_clients(method: str) -> None:
    assert allowed(method) == {Role.CLIENT}


def test_everybody_who_is_known_may_look() -> None:
    assert allowed(methods.DESCRIBE) == allowed(methods.TELEMETRY) == frozenset(Role)


class Context:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {}


@pytest.mark.parametrize("name", ["mine:Policy", "./mine.py", "/etc/mine.py:Policy", ":", "a:b:c"])
@pytest.mark.parametrize(
    ("rule", "peer", "taken"),
    [
        (PolicyCode.LOCAL, "ipv4:127.0.0.1:1", True),
        (PolicyCode.LOCAL, "unix:", True),
        (PolicyCode.LOCAL, "ipv4:10.0.0.2:1", False),
        (PolicyCode.ANY, "ipv4:10.0.0.2:1", True),
        (PolicyCode.NONE, "ipv4:127.0.0.1:1", False),
    ],
)
def test_code_comes_from_whom_the_daemon_allows(name: str, rule: PolicyCode, peer: str, taken: bool) -> None:
    context = cast("grpc.aio.ServicerContext[object, object]", Context(peer))
    check_policy("dp-adaptive", rule, context)  # what is installed is nobody's code
    if taken:
        check_policy(name, rule, context)
        return
    with pytest.raises(AccessDenied, match="--policy-code any"):
        check_policy(name, rule, context)
