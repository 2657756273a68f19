"""Segments on other nodes: the state there, its result back, and what is known of both ways."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import CorruptPayload, SessionNotFound
from eapg_split.runtime.checkpoint import Checkpoint, Departure, KeptTensor
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import (
    Accepted,
    Goodput,
    Hop,
    JobEvent,
    Passage,
    Returning,
    SegmentEvent,
)
from eapg_split.runtime.handoff import Coded, Declaration, SameAsInput
from eapg_split.runtime.links import on_link
from eapg_split.runtime.peer import SegmentDone, SegmentOrder

PermittedLoss = Callable[[Workload, int, float], Awaitable[Fidelity]]
"""What a codec may do to the state before a step so that this cut alone leaves so many dB."""


@dataclass(frozen=True)
class Assignment:
    """A segment of a plan for another node, and the state that it begins with."""

    node: NodeId
    order: SegmentOrder
    plan: Plan
    workload: Workload
    checkpoint: Checkpoint


class RemoteSegments:
    """One per job; remembers what each node holds of it."""

    def __init__(
        self,
        cluster: Cluster,
        permitted: PermittedLoss,
        emit: Callable[[JobEvent | SegmentEvent], Awaitable[None]],
    ) -> None:
        """`emit` gets what the node says, and Hop and Goodput with moments of the loop's clock."""
        self._cluster = cluster
        self._codecs = cluster.worker.setup.codecs
        self._permitted = permitted
        self._emit = emit
        self._held: dict[NodeId, tuple[KeptTensor, ...]] = {}

    async def run(self, task: Assignment) -> tuple[Checkpoint, SegmentDone]:
        """The state after the segment. A node that forgot what it was thought to hold is sent everything."""
        if self._held.get(task.node):
            try:
                return await self._run(task)
            except SessionNotFound:
                del self._held[task.node]
        return await self._run(task)

    async def _run(self, task: Assignment) -> tuple[Checkpoint, SegmentDone]:
        departure = await self._departure(task)
        order, budget = await self._ordered(task, task.checkpoint.budget.without(departure.share))
        passage = _Passages(task, departure, self._cluster.worker.setup.node)

        async def emit(event: SegmentEvent) -> None:
            noted = passage.noted(event)
            if isinstance(noted, Goodput):
                self._cluster.worker.links.observe(noted)
            await self._emit(noted)

        done = await self._cluster.peer(task.node).run(order, departure.outgoing, emit)
        await self._emit(passage.home(done))
        if done.declaration.spec != task.workload.spec_after(order.stop_step - 1):
            raise CorruptPayload(f"Node {task.node} returned a state of another shape.", node_id=task.node)
        tensors = {
            item.tensor.name: _arrived(item, departure, done, task.node) for item in done.declaration.items
        }
        lossless = self._codecs[order.result_codec].lossless
        here_too = [
            tensors[item.tensor.name]
            for item in done.declaration.items
            if lossless or isinstance(item, SameAsInput)
        ]
        self._held[task.node] = (*departure.arrives.values(), *here_too)
        return Checkpoint(order.stop_step, self._codecs, tensors, budget), done

    async def _departure(self, task: Assignment) -> Departure:
        step, budget = task.order.start_step, task.checkpoint.budget

        async def loss() -> tuple[Fidelity, float]:
            return await self._loss(task, step, budget)

        own = self._cluster.worker.setup.node
        rate = self._cluster.worker.links.bits_per_s(own, task.node)
        codec = await on_link(self._codecs[task.plan.codec_at(step)], rate)
        return await task.checkpoint.departure(codec, self._held.get(task.node, ()), fidelity=loss)

    async def _ordered(self, task: Assignment, budget: ErrorBudget) -> tuple[SegmentOrder, ErrorBudget]:
        """The order with what its result may lose, and the budget after that."""
        fidelity, share = await self._loss(task, task.order.stop_step, budget)
        rate = self._cluster.worker.links.bits_per_s(task.node, self._cluster.worker.setup.node)
        order = replace(task.order, result_fidelity=fidelity, result_link_bits_per_s=rate or 0.0)
        return order, budget.without(share)

    async def _loss(self, task: Assignment, step: int, budget: ErrorBudget) -> tuple[Fidelity, float]:
        """What the cut before `step` may lose, and its share of the budget; nothing where its codec is lossless."""
        if self._codecs[task.plan.codec_at(step)].lossless:
            return Fidelity(), 0.0
        to_come = sum(cut.step > step and not self._codecs[cut.codec].lossless for cut in task.plan.cuts)
        share = budget.share(to_come)
        return await self._permitted(task.workload, step, budget.target_db(share)), share


def _arrived(item: object, departure: Departure, done: SegmentDone, node: NodeId) -> KeptTensor:
    """A tensor of the result: as it came, or that of the input which it is."""
    match item:
        case Coded(tensor):
            received = done.received
            return KeptTensor(
                tensor, array=received.arrays[tensor.name], coded=received.encodings[tensor.name]
            )
        case SameAsInput(tensor, name) if name in departure.arrives:
            kept = departure.arrives[name]
            if kept.tensor.shape == tensor.shape:
                return kept.called(tensor)
    raise CorruptPayload(f"Node {node} named a tensor that it did not get.", node_id=node)


class _Passages:
    """The two ways of one segment's states, as events."""

    def __init__(self, task: Assignment, departure: Departure, own: NodeId) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = own, task.node
        self._steps = task.order.start_step, task.order.stop_step
        self._codecs = task.plan.codec_at(self._steps[0]), task.order.result_codec
        self._outgoing = departure.outgoing
        self._coded_before_s = departure.outgoing.encode_s
        self._began = self._returning = self._loop.time()

    def noted(self, event: SegmentEvent) -> JobEvent | SegmentEvent:
        """The event, or what it says in a job's terms."""
        own, node = self._ends
        match event:
            case Accepted(decode_s):
                encode_s = self._outgoing.encode_s - self._coded_before_s
                sizes = self._outgoing.body_bytes, self._began, encode_s, decode_s
                return self._hop(self._outgoing.declaration, sizes, self._loop.time(), outbound=True)
            case Returning():
                self._returning = self._loop.time()
            case Passage(outbound, size, seconds, moment_s):
                source, target = (own, node) if outbound else (node, own)
                return Goodput(source, target, size, seconds, moment_s)
        return event

    def home(self, done: SegmentDone) -> Hop:
        """The way back, which ends with its last part; previews may follow it."""
        sizes = done.body_bytes, self._returning, done.encode_s, done.decode_s
        return self._hop(done.declaration, sizes, max(done.arrived_s, self._returning), outbound=False)

    def _hop(
        self,
        declaration: Declaration,
        sizes: tuple[int, float, float, float],
        ended: float,
        *,
        outbound: bool,
    ) -> Hop:
        wire_bytes, began, encode_s, decode_s = sizes
        source, target = self._ends if outbound else self._ends[::-1]
        return Hop(
            source=source,
            target=target,
            step=self._steps[0 if outbound else 1],
            codec=self._codecs[0 if outbound else 1],
            raw_bytes=declaration.raw_bytes,
            wire_bytes=wire_bytes,
            seconds=ended - began,
            start_s=began,
            encode_s=encode_s,
            decode_s=decode_s,
            sent=tuple(item.tensor.name for item in declaration.coded),
        )
