"""A peer in this process: the same hand-offs, payloads and orders as over a wire, without one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.runtime.events import Returning
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.peer import Emit, NodeDescription, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.reception import Reception
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

    async def identify(self) -> NodeId:
        """The worker's own id."""
        return self._worker.setup.node

    async def prepare(self, order: SegmentOrder) -> None:
        """Loads the segment's weights."""
        await self._worker.prepare(order)

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        """Runs the segment in the worker's thread."""
        worker = self._worker
        async with worker.serving.admitted(order, state.declaration):
            there = await worker.serving.receive(order, state.declaration, resume=order.attempt > 1)
            await _pass(state, there)
            result = await worker.serving.serve(order, there, emit, recall)
        await emit(Returning())
        here = Reception(result.outgoing.declaration, worker.setup.codecs, keep=True)
        await _pass(result.outgoing, here)
        return await SegmentDone.of(
            here,
            result.stop_step,
            compute_s=result.compute_s,
            peak_rss_bytes=result.peak_rss_bytes,
            encode_s=result.outgoing.encode_s,
            further_peaks=result.further_peaks,
        )

    async def telemetry(self, interval_s: float = 1.0) -> AsyncGenerator[Telemetry, None]:
        """What the worker says of itself."""
        while True:
            yield await self._worker.telemetry()
            await asyncio.sleep(interval_s)

    async def close(self) -> None:
        """Nothing is held."""


async def _pass(state: Outgoing, reception: Reception) -> None:
    async with aclosing(state.parts(reception.taken)) as parts:
        async for ready in parts:
            await reception.add(ready.part)
