"""Daemons for tests: one as a process, and what its health service says."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc
from grpc_health.v1 import health_pb2

FAST = "tests.toy_engine:open_engine"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def daemon(
    *flags: str, tier: str = "edge", engine: str = FAST, variables: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A daemon and the address that its ready line names."""
    command = [sys.executable, "-m", f"{tier}_node", "--engine", engine, *flags]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **(variables or {})},
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield process, json.loads(line)["address"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def refused(*flags: str, tier: str = "cloud") -> tuple[int, str]:
    """Exit code and stderr of a daemon that does not start."""
    command = [sys.executable, "-m", f"{tier}_node", "--engine", FAST, *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@asynccontextmanager
async def watched_health(address: str, service: str = "") -> AsyncIterator["asyncio.Queue[int]"]:
    """Every status that the daemon says, in order."""
    said: asyncio.Queue[int] = asyncio.Queue()
    async with grpc.aio.insecure_channel(address) as channel:
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest(service=service))

        async def listen() -> None:
            while isinstance(answer := await watch.read(), health_pb2.HealthCheckResponse):
                said.put_nowait(int(answer.status))

        listening = asyncio.create_task(listen())
        try:
            yield said
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def health_of(address: str, *, until: int, service: str = "") -> None:
    """Waits for the daemon to say that status."""
    async with asyncio.timeout(20), watched_health(address, service) as said:
        while await said.get() != until:
            pass


def hear_ctrl_c() -> None:
    """For `preexec_fn`: where the tests run in a shell's background, what they start would ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
