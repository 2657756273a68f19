"""Who gets in, and what is said to whoever does not: real daemons, certificates and tokens."""

import asyncio
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import psutil
import pytest

from eapg_split.domain.request import Request
from eapg_split.errors import AccessDenied, EapgError, InvalidRequest, NodeUnavailable, Unauthenticated
from eapg_split.rpc.access import Access
from eapg_split.rpc.callers import Role
from eapg_split.rpc.channels import open_channel
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.health import is_serving
from eapg_split.rpc.job_client import JobOptions, describe, generate, list_jobs
from eapg_split.rpc.security import is_loopback
from eapg_split.rpc.tokens import read_rows, write_rows
from eapg_split.runtime.settings import PeerAddress, TlsFiles
from tests.credentials import authority, certificate, flags, token
from tests.daemons import daemon, refused
from tests.nodes import order

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    authority(folder)
    certificate(folder, "edge", Role.EDGE)
    certificate(folder, "device", Role.DEVICE)
    certificate(folder, "me")
    certificate(folder, "late", ends_s=-60)
    return folder


def tls(folder: Path, name: str) -> TlsFiles:
    return TlsFiles(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")


async def error_of(address: str, access: Access) -> EapgError:
    with pytest.raises(EapgError) as caught:
        await describe(PeerAddress("edge", address), access=access)
    return caught.value


async def test_certificates_let_in_whom_the_authority_knows(certs: Path, tmp_path: Path) -> None:
    authority(tmp_path)
    foreign = certificate(tmp_path, "me")
    mine = tls(certs, "me")
    async with daemon(*flags(tls(certs, "edge"))) as (_, address):
        peer = PeerAddress("edge", address)
        assert (await describe(peer, access=Access(mine))).node.id == "edge"
        for access, kind, words in (
            (Access(tls(certs, "late")), Unauthenticated, "Our certificate .*late.pem has expired"),
            (Access(replace(mine, ca=foreign.ca)), Unauthenticated, "edge was not signed by our authority"),
            (Access(replace(foreign, ca=mine.ca)), Unauthenticated, "Our certificate .*was not signed by .*ca.pem"),
            (Access(TlsFiles(mine.ca)), NodeUnavailable, "may ask for a certificate, and we have none"),
            (Access(), NodeUnavailable, "if it asks for TLS, give the certificates"),
        ):  # fmt: skip
            error = await error_of(address, access)
            assert isinstance(error, kind), error
            assert pytest.raises(kind, match=words).matches(error), error
        assert await is_serving(address, access=Access(mine)) in (True, False)
        assert (await describe(peer, access=Access(mine))).node.id == "edge"


async def test_what_is_wrong_with_the_node_is_named(certs: Path, tmp_path: Path) -> None:
    mine = Access(tls(certs, "me"))
    elsewhere = tmp_path / "certs"
    shutil.copytree(certs, elsewhere)
    certificate(elsewhere, "edge", Role.EDGE, ends_s=-60)
    async with daemon() as (_, address):
        assert "does not speak TLS" in (await error_of(address, mine)).message
    for files, words in (
        (tls(elsewhere, "edge"), "edge.pem has expired"),
        (tls(certs, "me"), "not for a client"),
    ):
        code, said = refused(*flags(files))
        assert (code, words in said) == (Unauthenticated.exit_code, True), said


async def test_roles_say_who_may_do_what(certs: Path) -> None:
    async with daemon(*flags(tls(certs, "device")), tier="device") as (_, address):
        assert await list_jobs(address, access=Access(tls(certs, "me"))) == ()
        with pytest.raises(AccessDenied, match="'edge' has the role edge and List is for client"):
            await list_jobs(address, access=Access(tls(certs, "edge")))
        peer = GrpcPeer(PeerAddress("device", address), Access(tls(certs, "me")))
        with pytest.raises(AccessDenied, match="Prepare is for device or edge or cloud"):
            await peer.prepare(order(4, 6))
        await peer.close()


async def test_tokens_let_in_who_holds_one(
    certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = token(tmp_path, "me")
    late = token(tmp_path, "late", ends_s=-60)
    edge = token(tmp_path, "edge", Role.EDGE)
    other = tmp_path / "other"
    other.mkdir()
    unknown = token(other, "me")
    ca = TlsFiles(certs / "ca.pem")
    tokens = ["--tokens", str(tmp_path / "tokens.json")]
    async with daemon(*flags(tls(certs, "device")), *tokens, tier="device") as (_, address):
        assert await list_jobs(address, access=Access(ca, token_file=mine)) == ()
        assert await is_serving(address, access=Access(ca)) in (True, False)  # health is for all
        for access, kind, words in (
            (Access(ca), Unauthenticated, "asks for a token and none came"),
            (Access(ca, token_file=late), Unauthenticated, "token of 'late' expired on"),
            (Access(ca, token_file=unknown), Unauthenticated, "does not know the token"),
            (Access(ca, token_file=edge), AccessDenied, "List is for client"),
        ):
            with pytest.raises(kind, match=words):
                await list_jobs(address, access=access)
        monkeypatch.setenv("EAPG_SPLIT_TOKEN", mine.read_text())
        assert await list_jobs(address, access=Access(ca)) == ()
        monkeypatch.delenv("EAPG_SPLIT_TOKEN")
        # a token that is taken out of the file is not taken any more
        rows = read_rows(tmp_path / "tokens.json")
        write_rows(tmp_path / "tokens.json", [row for row in rows if row.name != "me"])
        with pytest.raises(Unauthenticated, match="does not know"):
            await list_jobs(address, access=Access(ca, token_file=mine))


async def test_tokens_are_asked_for_on_loopback_too_and_go_nowhere_else_in_the_clear(tmp_path: Path) -> None:
    mine = token(tmp_path, "me")
    async with daemon("--tokens", str(tmp_path / "tokens.json")) as (_, address):
        peer = PeerAddress("edge", address)
        assert (await describe(peer, access=Access(token_file=mine))).node.id == "edge"
        assert isinstance(await error_of(address, Access()), Unauthenticated)
    with pytest.raises(InvalidRequest, match="not even with --insecure"):
        await list_jobs("10.0.0.9:7001", access=Access(insecure=True, token_file=mine))
    tokens = ("--tokens", str(tmp_path / "tokens.json"), "--insecure")
    code, words = refused("--listen", "0.0.0.0:0", *tokens)
    assert (code, "in the clear" in words) == (InvalidRequest.exit_code, True)


def test_secrets_that_others_may_read_are_refused(certs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    shutil.copytree(certs, folder)
    open_key = tls(folder, "edge")
    assert open_key.key is not None
    open_key.key.chmod(0o644)
    token(folder, "me").chmod(0o604)
    (folder / "tokens.json").chmod(0o620)
    for given in (
        flags(open_key),
        [*flags(tls(certs, "edge")), "--tokens", str(folder / "tokens.json")],
        ["--token-file", str(folder / "me.token")],
    ):
        code, words = refused(*given)
        assert (code, "chmod 600" in words) == (InvalidRequest.exit_code, True)
    with pytest.raises(InvalidRequest, match="chmod 600"):
        Access(token_file=folder / "me.token").token()
    open_key.key.chmod(0o640)  # as a mounted secret often is
    mixed = replace(open_key, cert=folder / "me.pem")
    code, words = refused(*flags(mixed))
    assert (code, "is not the private key of" in words) == (InvalidRequest.exit_code, True)


async def test_a_renewed_certificate_is_taken_up_while_calls_go_on(certs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    shutil.copytree(certs, folder)
    served, mine = tls(folder, "edge"), Access(tls(folder, "me"))
    async with daemon(*flags(served)) as (_, address):
        peer = PeerAddress("edge", address)
        patient = GrpcPeer(peer, mine)
        looks = patient.telemetry(0.1)
        await anext(looks)
        # a new authority altogether: who knows the former one only does not trust the new certificates
        shutil.copy(folder / "ca.pem", folder / "former.pem")
        for name in ("ca.key", "ca.pem"):
            (folder / name).unlink()
        authority(folder)
        certificate(folder, "edge", Role.EDGE)
        certificate(folder, "me")
        assert (await describe(peer, access=mine)).node.id == "edge"
        former = Access(replace(tls(certs, "me"), ca=folder / "former.pem"))
        assert isinstance(await error_of(address, former), Unauthenticated)
        assert (await patient.describe()).node.id == "edge"  # by a new channel
        for _ in range(3):
            await anext(looks)  # by the former one
        # what does not fit together is left alone
        certificate(folder, "me")
        served_key = folder / "edge.key"
        shutil.copy(folder / "me.key", served_key)
        assert (await describe(peer, access=mine)).node.id == "edge"
        assert (await patient.describe()).node.id == "edge"
        await looks.aclose()
        await patient.close()


@pytest.mark.parametrize(("rule", "taken"), [("local", True), ("any", True), ("none", False)])
async def test_policies_as_code_come_from_whom_the_device_allows(rule: str, taken: bool) -> None:
    async with daemon("--policy-code", rule, tier="device") as (_, address):
        options = JobOptions(policy="tests.nothing:Policy")
        events = generate(address, Request("A cat", seconds=0.5, fps=8, width=64, height=64), options)
        kind = InvalidRequest if taken else AccessDenied  # there is no such module
        with pytest.raises(
            kind, match="cannot be loaded" if taken else "takes no policy as code from anybody"
        ):
            await anext(events)
        await events.aclose()


async def test_no_secret_is_told(certs: Path, tmp_path: Path) -> None:
    mine, late = token(tmp_path, "me"), token(tmp_path, "late", ends_s=-60)
    ca = TlsFiles(certs / "ca.pem")
    told = []
    given = (*flags(tls(certs, "edge")), "--tokens", str(tmp_path / "tokens.json"))
    async with daemon(*given) as (process, address):
        for access in (Access(ca, token_file=late), Access(ca), Access(), Access(tls(certs, "late"))):
            told.append(repr(await error_of(address, access)) + repr(access))
        peer = GrpcPeer(PeerAddress("edge", address), Access(ca, token_file=mine))
        with pytest.raises(AccessDenied) as caught:
            await peer.prepare(order(4, 6))
        told += [repr(caught.value), repr(access.token()), repr(Access(token_file=mine).token())]
        await peer.close()
        (tmp_path / "tokens.json").write_text("no tokens any more")
        told.append(repr(await error_of(address, Access(ca, token_file=mine))))
        process.terminate()
        out, err = await asyncio.wait_for(process.communicate(), 20)
    told.append((out + err).decode())
    assert "nobody gets in" in told[-1]
    secrets = {mine.read_text().strip(), late.read_text().strip(), *key_lines(certs)}
    for text in told:
        assert not any(secret in text for secret in secrets)


def key_lines(folder: Path) -> set[str]:
    return {line for key in folder.glob("*.key") for line in key.read_text().splitlines() if "--" not in line}


async def test_strangers_may_ask_for_health_once_and_see_nothing_else(certs: Path, tmp_path: Path) -> None:
    mine = token(tmp_path, "me")
    known = Access(token_file=mine)
    async with daemon("--tokens", str(tmp_path / "tokens.json")) as (_, address):
        assert await is_serving(address) in (True, False)
        for opens, request in ((_watch, b""), (_reflect, b"\x3a\x00")):  # an empty list_services
            assert not await answers(address, Access(), opens(request))
            assert await answers(address, known, opens(request))
    host = next((each for each in _own_addresses() if not is_loopback(f"{each}:1")), None)
    if host is not None:
        async with daemon("--listen", f"{host}:0", "--insecure") as (_, address):
            assert not await answers(address, Access(insecure=True), _reflect(b"\x3a\x00"))
            assert await answers(address, Access(insecure=True), _watch(b""))


Opens = Callable[[grpc.aio.Channel], "grpc.aio.StreamStreamCall[bytes, bytes]"]


def _watch(request: bytes) -> Opens:
    return lambda channel: channel.unary_stream("/grpc.health.v1.Health/Watch", None, None)(request)  # type: ignore[return-value]


def _reflect(request: bytes) -> Opens:
    method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    return lambda channel: channel.stream_stream(method, None, None)(iter([request]))


async def answers(address: str, access: Access, opens: Opens) -> bool:
    """Whether a stream brings anything."""
    async with open_channel(address, access) as channel:
        try:
            return isinstance(await asyncio.wait_for(opens(channel).read(), 20), bytes)
        except grpc.aio.AioRpcError:
            return False


def _own_addresses() -> list[str]:
    return [
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family is socket.AF_INET
    ]
