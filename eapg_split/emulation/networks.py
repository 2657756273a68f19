"""Which network an emulation runs on, by name."""

from enum import StrEnum
from pathlib import Path

from eapg_split.emulation.namespaces import NamespaceNetwork
from eapg_split.emulation.network import Network
from eapg_split.emulation.relay import RelayNetwork
from eapg_split.errors import Unsupported
from simulations.world import Layout


class NetworkKind(StrEnum):
    """`user` relays on loopback, `namespaces` carries packets, `auto` takes these where this machine can have them."""

    USER = "user"
    NAMESPACES = "namespaces"
    AUTO = "auto"


async def open_network(kind: NetworkKind, layout: Layout, folder: Path) -> Network:
    """A network that has started; `folder` takes its files. Raises Unsupported where this machine cannot have it."""
    if kind is not NetworkKind.USER:
        try:
            return await _started(NamespaceNetwork(folder), layout)
        except Unsupported:
            if kind is NetworkKind.NAMESPACES:
                raise
    return await _started(RelayNetwork(), layout)


async def _started(network: Network, layout: Layout) -> Network:
    try:
        await network.start(layout)
    except BaseException:
        await network.close()
        raise
    return network
