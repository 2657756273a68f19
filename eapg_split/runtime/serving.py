"""Segments that other nodes ask for: a state comes, is computed with, and goes back, or on to the next node."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.events import Accepted
from eapg_split.runtime.forwarding import Forwarder
from eapg_split.runtime.handoff import Declaration
from eapg_split.runtime.held import HeldStates
from eapg_split.runtime.instruments import Kind, Span
from eapg_split.runtime.kept import KeptResults, SegmentResult, way_back
from eapg_split.runtime.links import on_link
from eapg_split.runtime.memory import peak_resident_bytes
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
        self, order: SegmentOrder, reception: Reception, emit: Emit, recall: Recall | None = None
    ) -> SegmentResult:
        """Like `execute`, on a state that has come, with one to send; the same hand-off is computed once.

        `emit` gets Accepted first. Raises CorruptPayload where the state is not whole.
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
                began = asyncio.get_running_loop().time()
                reached = await self._worker.execute(order, Latent(received.arrays), emit, serving)
                compute_s = asyncio.get_running_loop().time() - began
                result = await self._result(order, received, reached, compute_s)
                if order.onward and reached.early is None:
                    # for the sender, should it ask for this segment alone because the further one was lost
                    self._kept.add(_alone(order), handoff, result)
                    result = await self._forwarded(order, received, reached, result, emit, serving)
        self._kept.add(order, handoff, result)
        return result

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

    async def _forwarded(
        self,
        order: SegmentOrder,
        received: Received,
        reached: Reached,
        own: SegmentResult,
        emit: Emit,
        recall: Recall,
    ) -> SegmentResult:
        """The result of the nodes after this one."""
        codecs, spec = self._worker.setup.codecs, Latent(received.arrays).spec
        tensors = {
            each.name: KeptTensor(
                each, array=received.arrays[each.name], coded=received.encodings.get(each.name)
            )
            for each in spec.tensors
        }
        forwarder = Forwarder(
            self._worker.setup.node,
            codecs,
            self._worker.links,
            self._worker.neighbours,
            self._permitted,
            self._worker.handoff_spans(order.session),
        )
        before = Checkpoint(order.start_step, codecs, tensors)
        with self._worker.setup.instruments.span(_further(order)):
            relayed = await forwarder.forward(order, before, reached.state, emit, recall)
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


def _alone(order: SegmentOrder) -> SegmentOrder:
    """The same segment without what comes after it."""
    if not order.onward:
        return order
    first = order.onward[0]
    return replace(order, onward=(), result_codec=first.codec, result_db=first.quality_db)
