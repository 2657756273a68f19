"""Handing a state on to the node of the next segment, past the device: this node sends it and relays its result.

What the next node answers goes back as it came: a part that was coded there is not coded again here, so nothing is lost
on this way that the plan did not allow for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.topology import NodeId
from eapg_split.errors import CorruptPayload, EapgError
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.link_rates import LinkRates
from eapg_split.runtime.arriving import ArrivingCheckpoints
from eapg_split.runtime.checkpoint import Checkpoint, Codecs, Departure, KeptTensor
from eapg_split.runtime.events import (
    Accepted,
    CheckpointCame,
    Goodput,
    Hop,
    Passage,
    PreviewFrame,
    SegmentEvent,
    StepDone,
)
from eapg_split.runtime.handoff import Coded, Declaration, Encoding, Item, Outgoing, SameAsInput
from eapg_split.runtime.handoff_spans import HandoffSpans
from eapg_split.runtime.links import on_link
from eapg_split.runtime.neighbours import Neighbours
from eapg_split.runtime.offers import CheckpointOffers
from eapg_split.runtime.peer import Emit, Onward, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.sending import Sending

Permitted = Callable[[SegmentOrder, HandBack], Awaitable[Fidelity]]
"""What a lossy codec may do to a state that leaves on these terms."""


@dataclass(frozen=True)
class Relayed:
    """The further node's result on its way to whoever sent the order, and what of it this node has now."""

    outgoing: Outgoing
    done: SegmentDone


class Forwarder:
    """One per worker."""

    def __init__(
        self,
        own: NodeId,
        codecs: Codecs,
        links: LinkRates,
        neighbours: Neighbours,
        permitted: Permitted,
        spans: HandoffSpans,
    ) -> None:
        self._spans = spans
        self._own = own
        self._codecs = codecs
        self._links = links
        self._neighbours = neighbours
        self._permitted = permitted

    async def forward(
        self,
        order: SegmentOrder,
        before: Checkpoint,
        after: Latent,
        emit: Emit,
        recall: Recall,
        offers: CheckpointOffers,
    ) -> Relayed:
        """Runs what comes after the order's own steps on the node that it names; `before` is what this node got.

        `offers` gets the states that come from there meanwhile.
        An error names the node that is at fault. Raises NodeUnavailable for a node that is no neighbour.
        """
        onward = order.onward[0]
        try:
            return await self._forward(order, onward, before, after, emit, recall, offers)
        except EapgError as error:
            if not any(error.node_id == later.node for later in order.onward):
                error.node_id = onward.node
            raise

    async def _forward(
        self,
        order: SegmentOrder,
        onward: Onward,
        before: Checkpoint,
        after: Latent,
        emit: Emit,
        recall: Recall,
        offers: CheckpointOffers,
    ) -> Relayed:
        peer = await self._neighbours.peer(onward.node)
        state = before.followed_by(order.stop_step, after)

        async def loss() -> tuple[Fidelity, float]:
            terms = HandBack(order.stop_step, onward.codec, onward.quality_db)
            return await self._permitted(order, terms), 0.0

        there, back = (self._links.bits_per_s(*ends) for ends in _both_ways(self._own, onward.node))
        departure = await state.departure(await on_link(self._codecs[onward.codec], there), (), fidelity=loss)
        further = replace(
            order,
            request=order.request.without_prompt(),
            start_step=order.stop_step,
            stop_step=onward.stop_step,
            onward=order.onward[1:],
            checkpoints=self._wanted(order),
            result_link_bits_per_s=back or 0.0,
        )
        arriving = ArrivingCheckpoints(self._codecs, departure.arrives)

        async def take(event: SegmentEvent) -> None:
            if isinstance(event, CheckpointCame):
                self._spans.saved(event, onward.node, self._own)
                offers.offer(arriving.add(event), self._as_it_came)
            else:
                await relay.take(event)

        relay = _Relay(self._own, onward, order.stop_step, departure, self._links, self._spans, emit)
        done = await relay.sending.unless_still(peer.run(further, departure.outgoing, take, recall=recall))
        await relay.home(done)
        return Relayed(await self._way_back(done, departure, await before.latent()), done)

    def _wanted(self, order: SegmentOrder) -> Checkpoints:
        spares = order.checkpoints is Checkpoints.AUTO and self._links.network.costs_money
        return Checkpoints.NEVER if spares else order.checkpoints

    async def _as_it_came(self, kept: KeptTensor) -> Encoding:
        return await kept.as_it_is(self._codecs)

    async def _way_back(self, done: SegmentDone, departure: Departure, state: Latent) -> Outgoing:
        """As it came; what went through both nodes untouched is named, and what only this one made is coded."""
        items: list[Item] = []
        encodings: list[Encoding] = []
        for item in done.declaration.items:
            if isinstance(item, Coded):
                items.append(item)
                encodings.append(done.received.encodings[item.tensor.name])
                continue
            kept = departure.arrives.get(item.input) if isinstance(item, SameAsInput) else None
            if kept is None:
                raise CorruptPayload(f"The result names tensor {item.tensor.name}, which was not sent.")
            mine = next((name for name in state if kept.is_of(state[name])), None)
            if mine is not None:
                items.append(SameAsInput(item.tensor, mine))
                continue
            encoding = await kept.as_it_is(self._codecs)
            items.append(Coded(item.tensor, encoding.codec))
            encodings.append(encoding)
        return Outgoing(items, encodings)


class _Relay:
    """What the further node says, for whoever sent the order."""

    def __init__(
        self,
        own: NodeId,
        onward: Onward,
        step: int,
        departure: Departure,
        links: LinkRates,
        spans: HandoffSpans,
        emit: Emit,
    ) -> None:
        self._spans = spans
        self._loop = asyncio.get_running_loop()
        self._ends = own, onward.node
        self._codec = onward.codec
        self._step = step
        self._outgoing = departure.outgoing
        self.sending = Sending(self._ends, departure.outgoing, links.bits_per_s(*self._ends))
        self._links = links
        self._emit = emit
        self._began = self._returning = self._loop.time()

    async def take(self, event: SegmentEvent) -> None:
        own, node = self._ends
        self.sending.note(event)
        match event:
            case StepDone() | PreviewFrame() | Hop():
                await self._emit(event)
            case Passage(outbound, size, seconds, moment_s):
                source, target = (own, node) if outbound else (node, own)
                self._links.observe(Goodput(source, target, size, seconds, moment_s))
            case Accepted(decode_s):
                sizes = self._outgoing.body_bytes, self._outgoing.encode_s, decode_s
                ended = self._began, self._loop.time()
                hop = await self._hop(
                    (own, node), self._step, self._codec, self._outgoing.declaration, sizes, ended
                )
                self._spans.gone(hop, self._outgoing)
                self._returning = self._loop.time()
            case _:
                self._returning = self._loop.time()

    async def home(self, done: SegmentDone) -> None:
        coded = done.declaration.coded
        sizes = done.body_bytes, done.encode_s, done.decode_s
        ended = self._returning, max(done.arrived_s, self._returning)
        codec = coded[0].codec if coded else self._codec
        hop = await self._hop(self._ends[::-1], done.stop_step, codec, done.declaration, sizes, ended)
        self._spans.come(hop, done.decoding)

    async def _hop(
        self,
        ends: tuple[NodeId, NodeId],
        step: int,
        codec: str,
        declaration: Declaration,
        sizes: tuple[int, float, float],
        ended: tuple[float, float],
    ) -> Hop:
        wire_bytes, encode_s, decode_s = sizes
        hop = Hop(
            *ends,
            step,
            codec,
            declaration.raw_bytes,
            wire_bytes,
            ended[1] - ended[0],
            ended[0],
            encode_s,
            decode_s,
            tuple(item.tensor.name for item in declaration.coded),
        )
        await self._emit(hop)
        return hop


def _both_ways(own: NodeId, node: NodeId) -> tuple[tuple[NodeId, NodeId], tuple[NodeId, NodeId]]:
    return (own, node), (node, own)
