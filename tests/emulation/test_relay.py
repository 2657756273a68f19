"""Relays on loopback: bytes take the time that rates and delays say, and flows share what their media carry."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from eapg_split.domain.topology import NodeId
from eapg_split.emulation.relay import RelayNetwork
from eapg_split.errors import NodeUnavailable
from simulations.sites import Way
from simulations.traces import RateTrace
from simulations.world import Layout

NEAR, FAR = NodeId("near"), NodeId("far")
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Ends]]
LATE_S = 0.2  # that a busy machine may add


def _layout(rate: float, delay_s: float) -> Layout:
    media: Mapping[str, RateTrace] = {
        "forth": RateTrace(np.array([rate])),
        "back": RateTrace(np.array([rate])),
    }
    return Layout((), media, {(NEAR, FAR): Way((0,), delay_s), (FAR, NEAR): Way((1,), delay_s)})


@asynccontextmanager
async def _relayed(folder: Path, rate: float, delay_s: float) -> AsyncIterator[tuple[RelayNetwork, Dial]]:
    """A network whose far node answers each byte of 1 with one of 1, in both cases the last of what was said."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if data[-1] == 1:
                writer.write(b"\1")
        writer.close()

    network, dialled = RelayNetwork(folder), list[asyncio.StreamWriter]()

    async def dial() -> Ends:
        host, _, port = network.address(NEAR, FAR).rpartition(":")
        ends = await asyncio.open_connection(host, int(port))
        dialled.append(ends[1])
        return ends

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        await network.start(_layout(rate, delay_s))
        await network.listening(FAR, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield network, dial
    finally:
        for writer in dialled:
            writer.transport.abort()
        await network.close()
        server.close()


async def _connected(dial: Dial) -> Ends:
    ends = await dial()
    await _said(ends, 1)
    return ends


async def _said(ends: Ends, size: int) -> float:
    """Seconds until so many bytes are there and the answer is here."""
    reader, writer = ends
    began_s = time.monotonic()
    writer.write(bytes(size - 1) + b"\1")
    await reader.readexactly(1)
    return time.monotonic() - began_s


async def test_a_message_takes_its_time_on_the_medium_and_a_round_trip(tmp_path: Path) -> None:
    async with _relayed(tmp_path, 10e6, 0.05) as (_, dial):
        ends = await _connected(dial)
        assert 0.1 <= await _said(ends, 1) < 0.1 + LATE_S
        assert 0.5 <= await _said(ends, 500_000) < 0.5 + LATE_S


async def test_connections_on_one_medium_share_it(tmp_path: Path) -> None:
    async with _relayed(tmp_path, 10e6, 0.005) as (_, dial):
        first, second = await _connected(dial), await _connected(dial)
        both = await asyncio.gather(_said(first, 250_000), _said(second, 250_000))
        assert all(0.38 <= seconds < 0.41 + LATE_S for seconds in both)


async def test_a_rate_may_change_and_an_outage_keeps_the_connection(tmp_path: Path) -> None:
    async with _relayed(tmp_path, 1e6, 0.005) as (network, dial):
        ends = await _connected(dial)
        await network.set_rate("forth", 0.0)
        saying = asyncio.create_task(_said(ends, 125_000))
        await asyncio.sleep(0.3)
        assert not saying.done()
        await network.set_rate("forth", 10e6)
        assert 0.3 + 0.1 <= await saying < 0.41 + LATE_S


async def test_a_sender_feels_the_rate(tmp_path: Path) -> None:
    """What the relay and the sockets take in ahead of their turn is little."""
    async with _relayed(tmp_path, 4e6, 0.005) as (_, dial):
        _, writer = await _connected(dial)
        writer.transport.set_write_buffer_limits(0)
        # the kernel would let it grow to megabytes, as it likes
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        began_s = time.monotonic()
        writer.write(bytes(2_000_000))
        await writer.drain()
        assert time.monotonic() - began_s > 2.0  # 4 s of the medium, less what buffers hold
        writer.transport.abort()


async def test_whoever_is_not_there_refuses_and_a_relay_that_is_closed_says_so(tmp_path: Path) -> None:
    async with _relayed(tmp_path, 1e6, 0.005) as (network, dial):
        await network.listening(FAR, "127.0.0.1:1")
        reader, _ = await dial()
        assert await asyncio.wait_for(reader.read(), 5) == b""
    with pytest.raises(NodeUnavailable, match="does not run"):
        await network.set_rate("forth", 1e6)
