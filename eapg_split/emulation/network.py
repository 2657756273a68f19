"""The seam between an emulation and what shapes its links: loopback relays, or network namespaces."""

from collections.abc import Sequence
from typing import Protocol

from eapg_split.domain.topology import NodeId
from eapg_split.rpc.access import Access
from simulations.world import Layout


class Network(Protocol):
    """The ways between the nodes of one emulation. Its methods belong to one event loop.

    In the order of their use: `start`; for each node `flags`, `listen`, `address`, `command`, and, once its daemon is
    ready, `listening` and `outside`; `set_rate` at any time after `start`; `close` always, also after a `start` that
    failed.
    """

    @property
    def access(self) -> Access:
        """How a program outside speaks to a daemon; known after `start`."""
        ...

    async def start(self, layout: Layout) -> None:
        """Makes the ways between the nodes; their media carry what their traces say at 0 s until `set_rate`.

        Raises Unsupported where this machine cannot, with what is missing.
        """
        ...

    def flags(self, node: NodeId) -> Sequence[str]:
        """What the node's daemon needs besides, for instance its certificate where its address is not loopback's."""
        ...

    def listen(self, node: NodeId) -> str:
        """HOST:PORT for the daemon's `--listen`; port 0 takes a free one."""
        ...

    def address(self, source: NodeId, target: NodeId) -> str:
        """Where the source dials the target: what it says goes their way there, the answers go the way back.

        Both ways must be in the layout.
        """
        ...

    def command(self, node: NodeId, command: Sequence[str]) -> Sequence[str]:
        """What runs a command where the node is."""
        ...

    async def listening(self, node: NodeId, address: str) -> None:
        """The node's daemon has bound this address: at its start, and again after each restart."""
        ...

    def outside(self, node: NodeId) -> str:
        """HOST:PORT at which a program outside all nodes reaches the daemon, past all links."""
        ...

    async def set_rate(self, medium: str, bits_per_s: float) -> None:
        """From now on the medium carries so much for all who share it, in both directions together; 0 is an outage.

        Bytes that are on their way wait then; connections stay.
        """
        ...

    async def close(self) -> None:
        """Takes everything away that `start` made; may be called twice, and after a failed start."""
        ...
