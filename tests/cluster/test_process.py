"""One daemon as a process: how it starts, what it says, how it ends, and who may talk to it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from eapg_split.errors import InvalidRequest, NodeUnavailable
from eapg_split.rpc.job_client import describe
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.settings import PeerAddress
from tests.daemons import FAST, NOT_SERVING, SERVING, daemon, health_of, refused, watched_health
from tests.nodes import until

pytestmark = pytest.mark.cluster


async def test_ready_line_and_file_and_a_quiet_end(tmp_path: Path) -> None:
    ready = tmp_path / "edge.json"
    async with daemon("--node", "edge-7", "--ready-file", str(ready)) as (process, address):
        said = json.loads(ready.read_text())
        assert said == {"node": "edge-7", "tier": "edge", "address": address, "pid": process.pid}
        description = await describe(PeerAddress("edge", f"@{ready}"))
        assert (description.node.id, description.pid) == ("edge-7", process.pid)
        assert psutil.Process(process.pid).memory_info().rss < 100e6
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 10)
        assert (process.returncode, out, err) == (0, b"", b"")
    with pytest.raises(NodeUnavailable, match="check that it runs"):
        await describe(PeerAddress("edge", address))


def test_a_port_in_use_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, words = refused("--listen", f"127.0.0.1:{taken.getsockname()[1]}", tier="device")
    assert code == InvalidRequest.exit_code
    assert words.count("\n") == 1
    assert "in use" in words
    assert "--listen" in words


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--listen", "0.0.0.0:0"], "--insecure"),
        (["--peer", "cloud=10.0.0.9:7001"], "--insecure"),
        (["--metrics", "0.0.0.0:0"], "--metrics-public"),
        (["--traces", "otlp:http://10.0.0.9:4317"], "--insecure"),
        (["--ready-file", "/nonexistent/ready.json"], "--ready-file"),
        (["--engine", "tests.nothing:here"], "module:callable"),
        (["--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c"], "Cannot read"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(flags: list[str], words: str) -> None:
    code, said = refused(*flags)
    assert code == InvalidRequest.exit_code
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said


async def test_garbage_does_not_disturb_and_standard_services_answer() -> None:
    async with daemon(tier="device") as (process, address):
        host, port = address.split(":")
        for garbage in (
            b"\xff" * 10_000,
            b"GET /etc/passwd HTTP/1.1\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00",
        ):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(garbage)
            writer.close()
        async with grpc.aio.insecure_channel(address) as channel:
            for service in ("", "eapg_split.rpc.v1.NodeService", "eapg_split.rpc.v1.JobService"):
                await health_of(address, until=SERVING, service=service)
            reflect = channel.stream_stream(
                "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                reflection_pb2.ServerReflectionRequest.SerializeToString,
                reflection_pb2.ServerReflectionResponse.FromString,
            )
            call = reflect(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
            listed = await call.read()
            assert isinstance(listed, reflection_pb2.ServerReflectionResponse)
            names = {each.name for each in listed.list_services_response.service}
            assert {"eapg_split.rpc.v1.NodeService", "eapg_split.rpc.v1.JobService"} <= names
        process.terminate()
        _, err = await asyncio.wait_for(process.communicate(), 10)
        assert (process.returncode, err) == (0, b"")


async def test_daemons_do_not_outlive_who_started_them(tmp_path: Path) -> None:
    """Even when that process is killed and cannot clean up."""
    script = textwrap.dedent(f"""
        import asyncio, sys
        from eapg_split.rpc.local_topology import local_topology
        async def main():
            async with local_topology(engine="{FAST}") as topology:
                print(*(node.pid for node in topology.nodes.values()), flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert process.stdout is not None
    pids = [int(word) for word in (await asyncio.wait_for(process.stdout.readline(), 20)).split()]
    assert len(pids) == 3
    process.kill()
    await process.communicate()
    await until(lambda: not any(psutil.pid_exists(pid) for pid in pids), within_s=10)


async def test_a_local_topology_ends_with_its_block_and_says_why_it_cannot_start() -> None:
    async with local_topology(engine=FAST) as topology:
        pids = [node.pid for node in topology.nodes.values()]
        logs = topology.logs
        assert all(psutil.pid_exists(pid) for pid in pids)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not logs.exists()
    with pytest.raises(NodeUnavailable, match="module:callable"):
        async with local_topology(engine="tests.nothing:here"):
            pass


async def test_a_second_signal_does_not_wait() -> None:
    async with local_topology(engine="tests.toy_engine:open_slow_engine") as topology:
        edge = topology.nodes["edge"]
        async with watched_health(edge.address) as said:
            while await said.get() != SERVING:
                pass
            os.kill(edge.pid, signal.SIGTERM)  # the open stream would be drained for 10 s
            assert await said.get() == NOT_SERVING
            os.kill(edge.pid, signal.SIGTERM)
            process = psutil.Process(edge.pid)
            await until(
                lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, within_s=5
            )
