"""Other nodes load the weights of their segments ahead, while somebody else computes."""

import asyncio
import logging

from eapg_split.errors import EapgError
from eapg_split.runtime.peer import Peer, SegmentOrder

_log = logging.getLogger(__name__)


class Preparations:
    """One per job: nobody waits for them, and what fails is told by the hand-off that comes later."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, peer: Peer, order: SegmentOrder) -> None:
        """Asks the node to get ready for the order."""
        task = asyncio.create_task(_prepare(peer, order))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Breaks off what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _prepare(peer: Peer, order: SegmentOrder) -> None:
    try:
        await peer.prepare(order)
    except EapgError as error:
        _log.info("node %s is not prepared: %s", peer.name, error)
