"""A network that needs root: each daemon in a network namespace of its own, and packets between them."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from eapg_split.domain.topology import NodeId, Tier
from eapg_split.emulation.door import Door
from eapg_split.emulation.relay_process import RelayProcess
from eapg_split.emulation.tun import WITHOUT
from eapg_split.emulation.tun_relay import MAX_NODES, Counts, Wiring
from eapg_split.errors import InvalidRequest, Unsupported
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.callers import Role
from eapg_split.runtime.settings import TlsFiles
from simulations.world import Layout

ADDRESSES: Final = IPv4Network(
    "198.18.0.0/15"
)  # for tests of networks (RFC 2544): nobody's, and routed nowhere
PORT: Final = 7000
_CERTIFICATES: Final = ".certificates"  # no node has such a name
_LIFE: Final = timedelta(days=7)


class NamespaceNetwork:
    """See `emulation.network.Network`. Daemons know each other by certificates that are made for this emulation, in
    `folder`.

    A device listens on its namespace's loopback, as a device that nobody else is to reach; the others on an address
    that the links lead to. The relay holds all devices, and this process and the daemons hold the namespaces: when
    they end, whatever ended them, the kernel takes everything away.
    """

    def __init__(self, folder: Path) -> None:
        self.access = LOOPBACK
        self._folder = folder / _CERTIFICATES
        self._relay = RelayProcess(folder)
        self._media: dict[str, int] = {}
        self._tiers: dict[NodeId, Tier] = {}
        self._hosts: dict[NodeId, str] = {}
        self._files: dict[NodeId, TlsFiles] = {}
        self._namespaces: dict[NodeId, int] = {}
        self._doors: dict[NodeId, Door] = {}

    async def start(self, layout: Layout) -> None:
        if len(layout.nodes) > MAX_NODES:
            raise InvalidRequest(f"At most {MAX_NODES} nodes have namespaces: use a smaller scenario.")
        self._tiers = {spec.id: spec.tier for spec in layout.nodes}
        self._hosts = {node: str(ADDRESSES[number]) for number, node in enumerate(self._tiers, 1)}
        self._media = {name: number for number, name in enumerate(layout.media)}
        self._certify()
        await self._relay.start("eapg_split.emulation.tun_relay")
        answer = await self._relay.ask(asdict(_wiring(layout, list(self._hosts.values()))))
        if "error" in answer:
            raise Unsupported(answer["error"])
        for node, number in zip(self._tiers, answer["namespaces"], strict=True):
            path = f"/proc/{self._relay.pid}/fd/{number}"
            self._namespaces[node] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._doors[node] = Door(self._namespaces[node])
            await self._doors[node].open()

    def flags(self, node: NodeId) -> Sequence[str]:
        tls = self._files[node]
        return ("--tls-ca", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key))

    def listen(self, node: NodeId) -> str:
        host = "127.0.0.1" if self._tiers[node] is Tier.DEVICE else self._hosts[node]
        return f"{host}:{PORT}"

    def address(self, source: NodeId, target: NodeId) -> str:
        del source
        return f"{self._hosts[target]}:{PORT}"

    def command(self, node: NodeId, command: Sequence[str]) -> Sequence[str]:
        namespace = f"/proc/{os.getpid()}/fd/{self._namespaces[node]}"
        return (sys.executable, "-m", "eapg_split.emulation.enter", namespace, *command)

    async def listening(self, node: NodeId, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._doors[node].target = (host, int(port))

    def outside(self, node: NodeId) -> str:
        return self._doors[node].address

    async def set_rate(self, medium: str, bits_per_s: float) -> None:
        await self._relay.ask({"medium": self._media[medium], "bits_per_s": bits_per_s})

    async def counts(self) -> Counts:
        """What the relay has carried so far."""
        return Counts(**await self._relay.ask({}))

    async def close(self) -> None:
        for door in self._doors.values():
            await door.close()
        self._doors.clear()
        for namespace in self._namespaces.values():
            os.close(namespace)
        self._namespaces.clear()
        await self._relay.close()

    def _certify(self) -> None:
        try:
            from eapg_split.rpc.certificates import LOOPBACK_HOSTS, Authority, Identity
        except ModuleNotFoundError as error:
            raise Unsupported(
                'Daemons in namespaces speak TLS, whose certificates need the extra "certs": pip install'
                f' "eapg-split[certs]"; {WITHOUT}.'
            ) from error
        authority = Authority.create(self._folder, days=2 * _LIFE.days)
        ends = datetime.now(UTC) + _LIFE
        for number, (node, tier) in enumerate(self._tiers.items()):
            identity = Identity(f"node-{number}", Role(tier), (self._hosts[node], *LOOPBACK_HOSTS))
            self._files[node] = authority.issue(self._folder, identity, ends=ends)
        self.access = Access(authority.issue(self._folder, Identity("client", Role.CLIENT), ends=ends))


def _wiring(layout: Layout, hosts: Sequence[str]) -> Wiring:
    numbers = {spec.id: number for number, spec in enumerate(layout.nodes)}
    return Wiring(
        addresses=[f"{host}/{ADDRESSES.prefixlen}" for host in hosts],
        rates_bits_per_s=[trace.at(0.0) for trace in layout.media.values()],
        ways=[
            (numbers[source], numbers[target], list(way.media), way.delay_s)
            for (source, target), way in layout.ways.items()
        ],
    )
