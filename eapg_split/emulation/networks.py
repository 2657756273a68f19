"""Which network an emulation runs on, by name."""

from enum import StrEnum
from pathlib import Path

from eapg_split.emulation.namespaces import NamespaceNetwork
from eapg_split.emulation.network import Network
from eapg_split.emulation.relay import RelayNetwork
from simulations.world import Layout


class NetworkKind(StrEnum):
    """`user` relays connections on loopback, `namespaces` carries packets.

    Nothing chooses between them by itself: who may have namespaces should not decide which figures come out.
    """

    USER = "user"
    NAMESPACES = "namespaces"


async def open_network(kind: NetworkKind, layout: Layout, folder: Path) -> Network:
    """A network that has started; `folder` has the files of the run. Raises Unsupported where this machine cannot."""
    network: Network = NamespaceNetwork(folder) if kind is NetworkKind.NAMESPACES else RelayNetwork(folder)
    try:
        await network.start(layout)
    except BaseException:
        await network.close()
        raise
    return network
