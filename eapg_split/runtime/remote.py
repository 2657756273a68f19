"""Segments on other nodes: the state there, its result back, and what is known of both ways."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget, on_the_way_db
from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import CorruptPayload, SessionNotFound
from eapg_split.planner.policy import Transfer
from eapg_split.runtime.arriving import ArrivingCheckpoints
from eapg_split.runtime.checkpoint import Checkpoint, Departure, KeptTensor
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import (
    CheckpointCame,
    Goodput,
    Hop,
    JobEvent,
    SegmentEvent,
)
from eapg_split.runtime.handoff import Coded, SameAsInput
from eapg_split.runtime.handoff_spans import HandoffSpans
from eapg_split.runtime.links import on_link
from eapg_split.runtime.passages import Passages
from eapg_split.runtime.peer import Onward, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.sending import Sending
from eapg_split.runtime.state_checks import check_told

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
    recall: Recall = field(default_factory=Recall)
    further: tuple[Segment, ...] = ()  # to which the node hands the state on
    wait_s: float = 0.0  # until the node, which was full, takes work again


class RemoteSegments:
    """One per job; remembers what each node holds of it."""

    def __init__(
        self,
        cluster: Cluster,
        permitted: PermittedLoss,
        emit: Callable[[JobEvent | SegmentEvent], Awaitable[None]],
        keep: Callable[[Checkpoint], None],
    ) -> None:
        """`emit` gets what the node says, and Hop, Goodput and CheckpointKept with moments of the loop's clock.

        `keep` gets each state that comes home while its segment goes on.
        """
        self._cluster = cluster
        self._codecs = cluster.worker.setup.codecs
        self._permitted = permitted
        self._emit = emit
        self._keep = keep
        self._held: dict[NodeId, tuple[KeptTensor, ...]] = {}
        self._sending: Sending | None = None

    def transfer(self) -> Transfer | None:
        """The hand-off that is on its way now."""
        return None if self._sending is None or self._sending.over else self._sending.transfer()

    async def run(self, task: Assignment) -> tuple[Checkpoint, SegmentDone]:
        """The state that the segment reached. A node that forgot what it was thought to hold is sent everything."""
        if self._held.get(task.node):
            try:
                return await self._run(task)
            except SessionNotFound:
                del self._held[task.node]
        return await self._run(task)

    async def _run(self, task: Assignment) -> tuple[Checkpoint, SegmentDone]:
        departure = await self._departure(task)
        budget = task.checkpoint.budget.without(departure.share)
        order = self._ordered(task, budget)
        own = self._cluster.worker.setup.node
        step = task.order.start_step
        passage = Passages((own, task.node), step, task.plan.codec_at(step), departure.outgoing)
        instruments = self._cluster.worker.setup.instruments
        spans = HandoffSpans(instruments, order.session, lambda step: task.workload.stage_of(step).name)
        arriving = ArrivingCheckpoints(self._codecs, departure.arrives)

        async def emit(event: SegmentEvent) -> None:
            check_told(event, order, task.node, task.workload)
            sending.note(event)
            if isinstance(event, CheckpointCame):
                spans.saved(event, task.node, own)
                self._kept(arriving.add(event, self._budget_after(budget, order, event.step)), task, order)
            noted = passage.noted(event)
            if isinstance(noted, Goodput):
                self._cluster.worker.links.observe(noted)
            if isinstance(noted, Hop) and noted is not event:
                spans.gone(noted, departure.outgoing)
            await self._emit(noted)

        rate = self._cluster.worker.links.bits_per_s(own, task.node)
        self._sending = sending = Sending((own, task.node), departure.outgoing, rate, begins_in_s=task.wait_s)
        try:
            await asyncio.sleep(task.wait_s)
            peer = self._cluster.peer(task.node)
            done = await sending.unless_still(peer.run(order, departure.outgoing, emit, recall=task.recall))
        finally:
            self._sending = None
        _check_state(done.stop_step, done.declaration.spec, order, task)
        terms = _terms_of(done, order, task.recall)
        hop = passage.home(done, terms.codec)
        spans.come(hop, done.decoding)
        await self._emit(hop)
        tensors = {
            item.tensor.name: _arrived(item, departure, done, task.node) for item in done.declaration.items
        }
        lossless = self._codecs[terms.codec].lossless
        here_too = [
            tensors[item.tensor.name]
            for item in done.declaration.items
            if lossless or isinstance(item, SameAsInput)
        ]
        self._held[task.node] = (*departure.arrives.values(), *here_too)
        budget = _spent(budget, order, done.stop_step)
        if not lossless:
            budget = budget.without(budget.share_of(terms.quality_db))
        return Checkpoint(done.stop_step, self._codecs, tensors, budget), done

    def terms(self, task: Assignment, step: int, plan: Plan) -> HandBack:
        """How a state is to come back that is handed back at `step` or later, to go on by `plan`."""
        return HandBack(step, plan.codec_at(step), self._target_db(plan, step, task.checkpoint.budget))

    def _kept(self, checkpoint: Checkpoint, task: Assignment, order: SegmentOrder) -> None:
        """A state on the way. Raises CorruptPayload for one that is not of the segment."""
        _check_state(checkpoint.step, checkpoint.spec, order, task)
        if checkpoint.step < _stop_of(order):
            self._keep(checkpoint)

    def _budget_after(self, budget: ErrorBudget, order: SegmentOrder, step: int) -> ErrorBudget:
        """What is left where a state on the way is used: it is one more cut, as lossy as the result would be."""
        return _spent(budget, order, step).without(budget.share_of(on_the_way_db(order.result_db)))

    async def _departure(self, task: Assignment) -> Departure:
        step, budget = task.order.start_step, task.checkpoint.budget

        async def loss() -> tuple[Fidelity, float]:
            return await self._loss(task, step, budget)

        own = self._cluster.worker.setup.node
        rate = self._cluster.worker.links.bits_per_s(own, task.node)
        codec = await on_link(self._codecs[task.plan.codec_at(step)], rate)
        return await task.checkpoint.departure(codec, self._held.get(task.node, ()), fidelity=loss)

    def _ordered(self, task: Assignment, budget: ErrorBudget) -> SegmentOrder:
        """The order with what its result may lose."""
        rate = self._cluster.worker.links.bits_per_s(task.node, self._cluster.worker.setup.node)
        onward: list[Onward] = []
        stop = task.order.stop_step
        for segment in task.further:
            codec, target_db = task.plan.codec_at(stop), self._target_db(task.plan, stop, budget)
            budget = budget.without(budget.share_of(target_db))
            onward.append(Onward(segment.node, segment.stop_step, codec, target_db))
            stop = segment.stop_step
        return replace(
            task.order,
            onward=tuple(onward),
            result_codec=task.plan.codec_at(stop),
            result_db=self._target_db(task.plan, stop, budget),
            result_link_bits_per_s=rate or 0.0,
        )

    async def _loss(self, task: Assignment, step: int, budget: ErrorBudget) -> tuple[Fidelity, float]:
        """What the cut before `step` may lose, and its share of the budget; nothing where its codec is lossless."""
        target_db = self._target_db(task.plan, step, budget)
        if not target_db:
            return Fidelity(), 0.0
        return await self._permitted(task.workload, step, target_db), budget.share_of(target_db)

    def _target_db(self, plan: Plan, step: int, budget: ErrorBudget) -> float:
        """What the cut before `step` must leave by itself; 0 where its codec is lossless."""
        if self._codecs[plan.codec_at(step)].lossless:
            return 0.0
        to_come = sum(cut.step > step and not self._codecs[cut.codec].lossless for cut in plan.cuts)
        return budget.target_db(budget.share(to_come))


def _stop_of(order: SegmentOrder) -> int:
    """Where the last node that the order names ends."""
    return order.onward[-1].stop_step if order.onward else order.stop_step


def _spent(budget: ErrorBudget, order: SegmentOrder, reached: int) -> ErrorBudget:
    """What the state lost on its way from node to node, as far as it came."""
    step = order.stop_step
    for onward in order.onward:
        if reached > step:
            budget = budget.without(budget.share_of(onward.quality_db))
        step = onward.stop_step
    return budget


def _check_state(step: int, spec: LatentSpec, order: SegmentOrder, task: Assignment) -> None:
    if not order.start_step < step <= _stop_of(order):
        raise CorruptPayload(
            f"Node {task.node} returned the state before step {step}, which is not of its segment.",
            node_id=task.node,
        )
    if spec != task.workload.spec_after(step - 1):
        raise CorruptPayload(f"Node {task.node} returned a state of another shape.", node_id=task.node)


def _terms_of(done: SegmentDone, order: SegmentOrder, recall: Recall) -> HandBack:
    """How the result was coded: as the recall said where it ended the segment, else as the order did."""
    early = recall.ends_at(done.stop_step) if done.stop_step < _stop_of(order) else None
    return early or HandBack(done.stop_step, order.result_codec, order.result_db)


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
