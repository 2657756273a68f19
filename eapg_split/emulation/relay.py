"""A network without privileges: all daemons on loopback, and a process that relays what they say to each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eapg_split.domain.topology import NodeId
from eapg_split.emulation.relay_process import RelayProcess
from eapg_split.rpc.access import LOOPBACK
from simulations.world import Layout

_LISTEN: Final = "127.0.0.1:0"


class RelayNetwork:
    """See `emulation.network.Network`; `shaping` is what the process does."""

    def __init__(self, folder: Path) -> None:
        self.access = LOOPBACK
        self._relay = RelayProcess(folder)
        self._media: dict[str, int] = {}
        self._ports: dict[tuple[NodeId, NodeId], int] = {}
        self._bound: dict[NodeId, str] = {}

    async def start(self, layout: Layout) -> None:
        self._media = {name: number for number, name in enumerate(layout.media)}
        pairs = [ends for ends in layout.ways if ends[::-1] in layout.ways]
        ways = []
        for source, target in pairs:
            forth, back = layout.ways[source, target], layout.ways[target, source]
            there, home = (forth.media, forth.delay_s), (back.media, back.delay_s)
            ways.append({"target": target, "forth": there, "back": home})
        await self._relay.start("eapg_split.emulation.shaping")
        rates = [trace.at(0.0) for trace in layout.media.values()]
        ports = await self._relay.ask({"rates": rates, "ways": ways})
        self._ports = dict(zip(pairs, ports, strict=True))

    def flags(self, node: NodeId) -> Sequence[str]:
        del node
        return ()

    def listen(self, node: NodeId) -> str:
        del node
        return _LISTEN

    def address(self, source: NodeId, target: NodeId) -> str:
        return f"127.0.0.1:{self._ports[source, target]}"

    def command(self, node: NodeId, command: Sequence[str]) -> Sequence[str]:
        del node
        return command

    async def listening(self, node: NodeId, address: str) -> None:
        self._bound[node] = address
        await self._relay.ask({"node": node, "port": int(address.rpartition(":")[2])})

    def outside(self, node: NodeId) -> str:
        return self._bound[node]

    async def set_rate(self, medium: str, bits_per_s: float) -> None:
        await self._relay.ask({"medium": self._media[medium], "bits_per_s": bits_per_s})

    async def close(self) -> None:
        await self._relay.close()
