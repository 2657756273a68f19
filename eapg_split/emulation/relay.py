"""A network without privileges: all daemons on loopback, and a process that relays what they say to each other."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Final

from eapg_split.domain.topology import NodeId
from eapg_split.errors import NodeUnavailable
from eapg_split.rpc.access import LOOPBACK, Access
from simulations.sites import Ends
from simulations.world import Layout

_ANSWER_S: Final = 10.0
_LINE_BYTES: Final = 2**20


class RelayNetwork:
    """See `emulation.network.Network`; `shaping` is what the process does."""

    flags: Sequence[str] = ()
    access: Access = LOOPBACK

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._numbers: dict[str, int] = {}  # of the media
        self._ports: dict[Ends, int] = {}
        self._bound: dict[NodeId, str] = {}
        self._asking = asyncio.Lock()

    async def start(self, layout: Layout) -> None:
        self._numbers = {name: number for number, name in enumerate(layout.media)}
        pairs = [ends for ends in layout.ways if ends[::-1] in layout.ways]
        ways = []
        for source, target in pairs:
            forth, back = layout.ways[source, target], layout.ways[target, source]
            ways.append(
                {
                    "target": target,
                    "forth": (forth.media, forth.delay_s),
                    "back": (back.media, back.delay_s),
                }
            )
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "eapg_split.emulation.shaping",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for whoever started it; it ends with its stdin
            limit=_LINE_BYTES,
        )
        rates = [trace.at(0.0) for trace in layout.media.values()]
        ports = await self._ask({"rates": rates, "ways": ways})
        assert isinstance(ports, list)
        self._ports = dict(zip(pairs, ports, strict=True))

    def listen(self, node: NodeId) -> str:
        del node
        return "127.0.0.1:0"

    def address(self, source: NodeId, target: NodeId) -> str:
        return f"127.0.0.1:{self._ports[source, target]}"

    def command(self, node: NodeId, command: Sequence[str]) -> Sequence[str]:
        del node
        return command

    async def listening(self, node: NodeId, address: str) -> None:
        self._bound[node] = address
        await self._ask({"node": node, "port": int(address.rpartition(":")[2])})

    def outside(self, node: NodeId) -> str:
        return self._bound[node]

    async def set_rate(self, medium: str, bits_per_s: float) -> None:
        await self._ask({"medium": self._numbers[medium], "bits_per_s": bits_per_s})

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _ask(self, what: object) -> object:
        """What the relay answers. Raises NodeUnavailable where it has ended."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise NodeUnavailable("The relay of the emulation does not run: start it again.")
        async with self._asking:
            line = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                process.stdin.write(json.dumps(what).encode() + b"\n")
                line = await asyncio.wait_for(process.stdout.readline(), _ANSWER_S)
        if not line:
            raise NodeUnavailable("The relay of the emulation has ended or hangs: start the emulation again.")
        answer: object = json.loads(line)
        return answer
