"""A peer in this process: the same hand-offs, payloads and orders as over a wire, without one."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

from eapg_split.codecs.base import Codec
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.runtime.events import CheckpointCame, Returning
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.offers import CheckpointOffers
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

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        """What the worker says of itself."""
        return await self._worker.describe(brief=brief)

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
        worker, order = self._worker, replace(order, caller="loopback")
        async with worker.serving.admitted(order, state.declaration):
            there = await worker.serving.receive(order, state.declaration, resume=order.attempt > 1)
            await _pass(state, there)
            offers = worker.serving.offers(order)
            homing = asyncio.create_task(_bring_home(offers, emit, worker.setup.codecs))
            try:
                result = await worker.serving.serve(order, there, emit, recall, offers)
            finally:
                homing.cancel()
                await asyncio.gather(homing, return_exceptions=True)
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


async def _bring_home(offers: CheckpointOffers, emit: Emit, codecs: Mapping[str, Codec]) -> None:
    while True:
        step, state = await offers.take()
        began = time.monotonic()
        here = Reception(state.declaration, codecs, keep=True, decode=False)
        await _pass(state, here)
        encodings = (await here.finish()).encodings
        await emit(CheckpointCame(step, state.declaration, encodings, time.monotonic() - began))
        offers.came_home(state, began)


async def _pass(state: Outgoing, reception: Reception) -> None:
    async with aclosing(state.parts(reception.taken)) as parts:
        async for ready in parts:
            await reception.add(ready.part)
