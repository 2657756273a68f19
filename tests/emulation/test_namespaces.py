"""Namespaces with packets between them: what they carry, what they shut out, and that they leave nothing."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from eapg_split.domain.topology import NodeId
from eapg_split.emulation import tun
from eapg_split.emulation.namespaces import NamespaceNetwork
from eapg_split.errors import NodeUnavailable, Unsupported
from simulations.building import build
from simulations.scenario import parse_scenario
from simulations.world import Layout
from tests.daemons import hear_ctrl_c
from tests.emulation.privileges import privileged

PHONE, BOX, CLOUD = NodeId("phone"), NodeId("box"), NodeId("cloud")
RATE, DELAY_S = 20e6, 0.01
SEGMENT = 1448 / 1500  # what a packet carries for whoever sends
SCENARIO = """
title = "Three nodes"
until_s = 60
[workloads.clip]
seconds = 1.0
at_s = [0]
[nodes.phone]
like = "phone"
[nodes.box]
like = "edge-box"
[nodes.cloud]
like = "cloud-server"
[media.air]
rate_mbps = 20
[[links]]
from = "phone"
to = "box"
through = ["air"]
delay_ms = 10
[[links]]
from = "box"
to = "cloud"
rate_mbps = 50
delay_ms = 5
"""


def _layout() -> Layout:
    return build(parse_scenario(Path("three.toml"), SCENARIO), 1).layout


@asynccontextmanager
async def _network(folder: Path) -> AsyncIterator[NamespaceNetwork]:
    network = NamespaceNetwork(folder)
    try:
        await network.start(_layout())
        yield network
    finally:
        await network.close()


def _inside(network: NamespaceNetwork, node: NodeId, *command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(network.command(node, command), stdout=subprocess.PIPE, text=True)


def _links() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def _names(network: NamespaceNetwork) -> set[str]:
    return {os.readlink(f"/proc/self/fd/{each}") for each in network._namespaces.values()}


def _open_namespaces() -> set[str]:
    """The network namespaces that processes are in or hold open."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        for path in (process / "ns/net", *(process / "fd").glob("*")):
            try:
                name = path.readlink().name
            except OSError:
                continue
            if name.startswith("net:["):
                found.add(name)
    return found


# Echoes single bytes, and takes what follows a connection's first byte "t" until it ends.
SERVER = """
import socket, sys
with socket.create_server((sys.argv[1], 7000)) as listener:
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        while piece := connection.recv(1 << 16):
            if len(piece) == 1:
                connection.sendall(piece)
        connection.close()
"""
CLIENT = """
import json, socket, sys, time
connection = socket.create_connection((sys.argv[1], 7000))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
rtts = []
for _ in range(10):
    begin = time.monotonic()
    connection.sendall(b"x")
    connection.recv(1)
    rtts.append(time.monotonic() - begin)
begin = time.monotonic()
connection.sendall(bytes(int(sys.argv[2])))
connection.shutdown(socket.SHUT_WR)
connection.recv(1)
print(json.dumps({"rtt_s": min(rtts), "took_s": time.monotonic() - begin}))
"""


@privileged
async def test_packets_take_the_rate_and_the_delay_that_were_asked_for(tmp_path: Path) -> None:
    size = 2_000_000
    async with _network(tmp_path) as network:
        host, _, _ = network.address(PHONE, BOX).rpartition(":")
        server = _inside(network, BOX, sys.executable, "-c", SERVER, host)
        try:
            assert server.stdout is not None
            await asyncio.to_thread(server.stdout.readline)
            client = _inside(network, PHONE, sys.executable, "-c", CLIENT, host, str(size))
            said, _ = await asyncio.to_thread(client.communicate, None, 20)
        finally:
            server.kill()
            server.communicate()
        counts = await network.counts()
    found = json.loads(said)
    assert 2 * DELAY_S <= found["rtt_s"] <= 2 * DELAY_S + 0.015
    ideal_s = 8 * size / (RATE * SEGMENT)
    # the shared medium carries the acknowledgements as well; the bound above is for a machine that is busy
    assert ideal_s <= found["took_s"] <= 2 * ideal_s + 0.2
    air = list(_layout().media).index("air")
    assert size <= counts.carried_bytes[air] <= 1.2 * size
    assert counts.cpu_s < counts.elapsed_s


@privileged
async def test_an_outage_holds_packets_back_and_a_rate_lets_them_go_on(tmp_path: Path) -> None:
    async with _network(tmp_path) as network:
        host, _, _ = network.address(PHONE, BOX).rpartition(":")
        await network.set_rate("air", 0.0)
        server = _inside(network, BOX, sys.executable, "-c", SERVER, host)
        client = None
        try:
            assert server.stdout is not None
            await asyncio.to_thread(server.stdout.readline)
            client = _inside(network, PHONE, sys.executable, "-c", CLIENT, host, "1000")
            with pytest.raises(subprocess.TimeoutExpired):
                await asyncio.to_thread(client.wait, 0.4)
            assert sum((await network.counts()).carried_bytes) == 0
            await network.set_rate("air", 1e6)
            await asyncio.to_thread(client.communicate, None, 20)
            assert client.returncode == 0
        finally:
            for each in (server, client):
                if each is not None:
                    each.kill()
                    each.communicate()


@privileged
async def test_a_door_leads_in_from_outside_and_nothing_leads_out(tmp_path: Path) -> None:
    reach = "import socket,sys; s=socket.socket(); s.settimeout(2); print(s.connect_ex((sys.argv[1], 9)))"
    interfaces = "import socket; print(sorted(name for _, name in socket.if_nameindex()))"
    async with _network(tmp_path) as network:
        host, _, _ = network.listen(PHONE).rpartition(":")
        assert host == "127.0.0.1"  # whoever else is in the emulation cannot call the device
        server = _inside(network, PHONE, sys.executable, "-c", SERVER, host)
        try:
            assert server.stdout is not None
            await asyncio.to_thread(server.stdout.readline)
            await network.listening(PHONE, network.listen(PHONE))
            address, _, port = network.outside(PHONE).rpartition(":")
            reader, writer = await asyncio.open_connection(address, int(port))
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            writer.close()
        finally:
            server.kill()
            server.communicate()
        seen, _ = _inside(network, PHONE, sys.executable, "-c", interfaces).communicate()
        assert seen.strip() == str(sorted([tun.DEVICE, "lo"]))
        out, _ = _inside(network, PHONE, sys.executable, "-c", reach, "192.0.2.1").communicate()
        assert int(out) != 0


@privileged
async def test_each_daemon_has_a_certificate_of_its_own(tmp_path: Path) -> None:
    async with _network(tmp_path) as network:
        flags = {node: network.flags(node) for node in (PHONE, BOX, CLOUD)}
        assert len({flag[3] for flag in flags.values()}) == 3
        assert network.access.tls is not None
        assert all(os.stat(flag[5]).st_mode & 0o077 == 0 for flag in flags.values())


@privileged
async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    links = _links()
    async with _network(tmp_path) as network:
        made = _names(network)
        assert len(made) == 3
        assert made <= _open_namespaces()
        assert _links() == links  # not even meanwhile
    await network.close()
    assert _links() == links
    assert not made & _open_namespaces()


KILLED = """
import asyncio, json, sys
from pathlib import Path
from eapg_split.emulation.namespaces import NamespaceNetwork
from tests.emulation.test_namespaces import _layout, _names
async def main():
    network = NamespaceNetwork(Path(sys.argv[1]))
    await network.start(_layout())
    print(json.dumps(sorted(_names(network))), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@privileged
@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_behind_whatever_ends_it(tmp_path: Path, ends: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=hear_ctrl_c,
    ) as process:
        assert process.stdout is not None
        made = set(json.loads(process.stdout.readline()))
        assert made <= _open_namespaces()
        process.send_signal(ends)
    until = time.monotonic() + 5
    while made & _open_namespaces() and time.monotonic() < until:
        time.sleep(0.02)
    assert not made & _open_namespaces()


@privileged
async def test_a_relay_that_ends_is_said(tmp_path: Path) -> None:
    async with _network(tmp_path) as network:
        os.kill(network._relay.pid, signal.SIGKILL)
        with pytest.raises(NodeUnavailable, match="start the emulation again"):
            await network.set_rate("air", 1e6)


@privileged
def test_a_machine_without_tun_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tun, "_CLONE_PATH", "/dev/net/there-is-none")
    with pytest.raises(Unsupported, match=r"no TUN devices.*--network user"):
        tun.new_namespace(IPv4Interface("198.18.0.1/15"))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's")
def test_who_may_not_is_told_what_is_missing(tmp_path: Path) -> None:
    wiring = json.dumps({"addresses": ["198.18.0.1/15"], "rates_bits_per_s": [], "ways": []})

    def give_up_rights() -> None:
        import ctypes

        ctypes.CDLL(None).prctl(24, 21, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_ADMIN: gone after exec

    ended = subprocess.run(
        [sys.executable, "-m", "eapg_split.emulation.tun_relay", str(tmp_path / "run")],
        input=wiring + "\n",
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
        preexec_fn=give_up_rights,
    )
    assert "as root" in json.loads(ended.stdout)["error"]
    assert "--network user" in json.loads(ended.stdout)["error"]
    assert ended.stderr == ""
