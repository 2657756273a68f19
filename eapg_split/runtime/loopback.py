"""A peer in this process: the same hand-offs, payloads and orders as over a wire, without one."""

from eapg_split.codecs.base import Payload
from eapg_split.runtime.peer import Emit, NodeDescription, SegmentDone, SegmentOrder
from eapg_split.runtime.worker import Worker


class LoopbackPeer:
    """Another worker of this event loop, seen as a Peer."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def name(self) -> str:
        """The worker's own id."""
        return self._worker.setup.node

    async def describe(self) -> NodeDescription:
        """What the worker says of itself."""
        return await self._worker.describe()

    async def prepare(self, order: SegmentOrder) -> None:
        """Loads the segment's weights."""
        await self._worker.prepare(order)

    async def run(self, order: SegmentOrder, payload: Payload, emit: Emit) -> SegmentDone:
        """Runs the segment in the worker's thread."""
        return await self._worker.serve(order, payload, emit)

    async def close(self) -> None:
        """Nothing is held."""
