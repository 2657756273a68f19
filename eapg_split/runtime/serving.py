"""Segments that other nodes ask for: a state comes, is computed with, and goes back, or on to the next node."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity
from eapg_split.domain.error_budget import on_the_way_db
from eapg_split.domain.latent import Latent
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.events import Accepted, SegmentEvent, StepDone
from eapg_split.runtime.forwarding import Forwarder
from eapg_split.runtime.handoff import Declaration, Encoding
from eapg_split.runtime.held import HeldStates
from eapg_split.runtime.instruments import Kind, Span
from eapg_split.runtime.kept import KeptResults, SegmentResult, way_back
from eapg_split.runtime.links import on_link
from eapg_split.runtime.memory import peak_resident_bytes
from eapg_split.runtime.offers import CheckpointOffers
from eapg_split.runtime.peer import Emit, SegmentOrder
from eapg_split.runtime.recall import HandBack, Reached, Recall
from eapg_split.runtime.reception import Received, Reception
from eapg_split.runtime.room import Need
from eapg_split.runtime.state_checks import check_declaration

if TYPE_CHECKING:
    from eapg_split.runtime.worker import Worker


class Serving:
    """One per worker, and a part of it: keeps what came and what was computed for as long as somebody may ask again."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._kept = KeptResults(worker.setup.limits)
        self.held = HeldStates(worker.setup.limits)
        self._serving: dict[Recall, SegmentOrder] = {}

    def give_back(self) -> None:
        """Hands back, at their next step boundaries, the segments that run here for others."""
        for recall, order in self._serving.items():
            recall.ask(HandBack(0, order.result_codec, order.result_db))

    def kept(self, order: SegmentOrder, handoff: str) -> SegmentResult | None:
        """The result of that very hand-off, where it was computed already."""
        return self._kept.get(order, handoff)

    @asynccontextmanager
    async def admitted(self, order: SegmentOrder, declaration: Declaration) -> AsyncIterator[None]:
        """A place and memory for the block: waits for them, and refuses first what there will be no room for.

        Nothing of the state may have come yet. Raises what `Places.held` and `Room.taken` raise, and CorruptPayload for
        what cannot be the right state.
        """
        worker = self._worker
        worker.places.check(order)
        workload = await worker.checked(order)
        check_declaration(order, workload, declaration)
        need = Need.of(order, workload, declaration)
        try:
            async with worker.places.held(order), worker.room.taken(need, order):
                yield
        finally:
            if order.session not in worker.places.sessions:
                worker.backlog.forget(order.session)

    async def receive(self, order: SegmentOrder, declaration: Declaration, *, resume: bool) -> Reception:
        """What takes the state that the order begins with; with `resume` it may have some parts already.

        Refuses here, before any of it has come: CorruptPayload where it cannot be the right state, SessionNotFound
        where a tensor that is only named is not here any more.
        """
        workload = await self._worker.checked(order)
        check_declaration(order, workload, declaration)
        self._worker.codec(order.result_codec)
        for onward in order.onward:
            self._worker.codec(onward.codec)
        begun = self.held.begun(order.session, declaration) if resume else None
        if begun is not None:
            return begun
        reception = Reception(
            declaration,
            self._worker.setup.codecs,
            given=self.held.given(order.session, declaration),
            limit_bytes=self._worker.setup.limits.payload_bytes,
            keep=bool(order.onward),  # what only passes through goes on as it came
        )
        self.held.begin(order.session, reception)
        return reception

    async def serve(
        self,
        order: SegmentOrder,
        reception: Reception,
        emit: Emit,
        recall: Recall | None = None,
        offers: CheckpointOffers | None = None,
    ) -> SegmentResult:
        """Like `execute`, on a state that has come, with one to send; the same hand-off is computed once.

        `emit` gets Accepted first, `offers` the states in between. Raises CorruptPayload where the state is not whole.
        """
        handoff = reception.declaration.id
        received = await reception.finish()
        self._worker.handoff_spans(order.session).decoded(order.start_step, reception)
        kept = self._kept.get(order, handoff)
        async with self._worker.places.held(order):
            await emit(Accepted(reception.seconds))
            if kept is not None:
                return kept
            with self._recallable(order, recall or Recall()) as serving:
                begun = self._begun(order, received, emit, serving, offers or self.offers(order))
                begun.offers.begin(begun.before, reception.bits_per_s)
                result = await self._computed(begun, handoff)
        self._kept.add(order, handoff, result)
        return result

    def offers(self, order: SegmentOrder) -> CheckpointOffers:
        """What takes the states that may go home while the segment goes on."""
        return CheckpointOffers(order, metered=self._worker.setup.network.costs_money)

    def _begun(
        self, order: SegmentOrder, received: Received, emit: Emit, recall: Recall, offers: CheckpointOffers
    ) -> "_Begun":
        spec = Latent(received.arrays).spec
        tensors = {
            each.name: KeptTensor(
                each, array=received.arrays[each.name], coded=received.encodings.get(each.name)
            )
            for each in spec.tensors
        }
        before = Checkpoint(order.start_step, self._worker.setup.codecs, tensors)
        return _Begun(order, received, before, emit, recall, offers)

    async def _computed(self, begun: "_Begun", handoff: str) -> SegmentResult:
        order, clock = begun.order, asyncio.get_running_loop().time
        began = clock()
        reached = await self._worker.execute(
            order,
            Latent(begun.received.arrays),
            begun.note,
            begun.recall,
            reached_state=self._offering(begun),
        )
        result = await self._result(order, begun.received, reached, clock() - began)
        if order.onward and reached.early is None:
            # for the sender, should it ask for this segment alone because the further one was lost
            self._kept.add(_alone(order), handoff, result)
            result = await self._forwarded(begun, reached, result)
        return result

    def _offering(self, begun: "_Begun") -> Callable[[int, Latent], None]:
        """Each state between two steps is offered, and the one that is handed on."""
        order, newest = begun.order, begun.before

        def reached(step: int, state: Latent) -> None:
            nonlocal newest
            if step == order.stop_step and not order.onward:
                return
            newest = newest.followed_by(step, state)
            begun.offers.offer(newest, partial(self._coded, order, step))

        return reached

    async def _coded(self, order: SegmentOrder, step: int, kept: KeptTensor) -> Encoding:
        """A tensor of the state before `step` as the segment's result would be coded there."""
        terms = HandBack(step, order.result_codec, on_the_way_db(order.result_db))
        codec = await on_link(self._worker.codec(terms.codec), order.result_link_bits_per_s or None)
        codecs = self._worker.setup.codecs
        return (await kept.through(codec, codecs, await self._permitted(order, terms)))[0]

    async def _result(
        self, order: SegmentOrder, received: Received, reached: Reached, compute_s: float
    ) -> SegmentResult:
        terms = reached.early or HandBack(
            order.stop_step, _alone(order).result_codec, _alone(order).result_db
        )
        codec = await on_link(self._worker.codec(terms.codec), order.result_link_bits_per_s or None)
        state = Latent(received.arrays)
        outgoing = way_back(codec, await self._permitted(order, terms), state, reached.state)
        # what a lossy codec makes of the result is known to the receiver only
        after = reached.state.values() if codec.lossless else ()
        await self.held.keep(order.session, [*state.values(), *after])
        return SegmentResult(outgoing, reached.stop_step, compute_s, peak_resident_bytes())

    async def _forwarded(self, begun: "_Begun", reached: Reached, own: SegmentResult) -> SegmentResult:
        """The result of the nodes after this one."""
        order, received = begun.order, begun.received
        worker = self._worker
        forwarder = Forwarder(
            worker.setup.node,
            worker.setup.codecs,
            worker.links,
            worker.neighbours,
            self._permitted,
            worker.handoff_spans(order.session),
        )
        with worker.setup.instruments.span(_further(order)):
            relayed = await forwarder.forward(
                order, begun.before, reached.state, begun.note, begun.recall, begun.offers
            )
        done = relayed.done
        arrays = [*received.arrays.values(), *reached.state.values(), *done.received.arrays.values()]
        await self.held.keep(order.session, arrays)
        return SegmentResult(
            relayed.outgoing,
            done.stop_step,
            own.compute_s + done.compute_s,
            own.peak_rss_bytes,
            {**done.further_peaks, order.onward[0].node: done.peak_rss_bytes},
        )

    @contextmanager
    def _recallable(self, order: SegmentOrder, recall: Recall) -> Iterator[Recall]:
        self._serving[recall] = order
        if (
            self._worker.places.closed and order.caller
        ):  # its state was still coming when the others were asked
            recall.ask(HandBack(0, order.result_codec, order.result_db))
        try:
            yield recall
        finally:
            del self._serving[recall]

    async def _permitted(self, order: SegmentOrder, terms: HandBack) -> Fidelity:
        """What the codec may do to the state before a step: the weights' own table says it on every node."""
        if self._worker.codec(terms.codec).lossless or not terms.quality_db:
            return DEFAULT_FIDELITY
        workload = await self._worker.unroll(order.request)
        return await self._worker.fidelity(workload, terms.step - 1, terms.quality_db)


def _further(order: SegmentOrder) -> Span:
    """The segment to whose node the state is handed on."""
    onward = order.onward[0]
    return Span(Kind.SEGMENT, order.session, order.stop_step, onward.stop_step, target=onward.node)


@dataclass(frozen=True)
class _Begun:
    """A segment whose state is here; `before` is that state, by whose tensors what comes of it is told apart."""

    order: SegmentOrder
    received: Received
    before: Checkpoint
    emit: Emit
    recall: Recall
    offers: CheckpointOffers

    async def note(self, event: SegmentEvent) -> None:
        """Tells the event, once it is known how long steps take."""
        if isinstance(event, StepDone):
            self.offers.stepped(event.seconds)
        await self.emit(event)


def _alone(order: SegmentOrder) -> SegmentOrder:
    """The same segment without what comes after it."""
    if not order.onward:
        return order
    first = order.onward[0]
    return replace(order, onward=(), result_codec=first.codec, result_db=first.quality_db)
