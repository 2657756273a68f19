"""States that go home while their segment goes on, as its node sees it: the newest that is worth it, one at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from eapg_split.planner.checkpoints import Checkpoints, Journey, Journeys, Moment, worth_sending
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.handoff import Coded, Encoding, Item, Outgoing, SameAsBefore, SameAsInput
from eapg_split.runtime.peer import SegmentOrder

Code = Callable[[KeptTensor], Awaitable[Encoding]]
"""How a tensor of a state travels that nobody there has yet."""


@dataclass(frozen=True)
class _Offer:
    checkpoint: Checkpoint
    code: Code
    at_s: float  # of computing


class CheckpointOffers:
    """One per segment: who computes offers, who sends takes. A newer state replaces one that was not taken yet."""

    def __init__(self, order: SegmentOrder, *, metered: bool = False) -> None:
        """`metered`: bytes cost this node money, so none are spent on what is only wished for where it is worth it."""
        spares = order.checkpoints is Checkpoints.AUTO and metered
        self._wanted = Checkpoints.NEVER if spares else order.checkpoints
        self._stop_step = order.onward[-1].stop_step if order.onward else order.stop_step
        self.bits_per_s = order.result_link_bits_per_s  # of the way home at least, 0 while nobody knows
        self._journeys = Journeys(self.bits_per_s)
        self._input: Checkpoint | None = None
        self._before: Checkpoint | None = None
        self._waiting: _Offer | None = None
        self._changed = asyncio.Event()
        self._step_s = self._computed_s = self._covered_s = 0.0

    def begin(self, state: Checkpoint, came_bits_per_s: float) -> None:
        """The state that the segment begins with, which whoever asked for it has, and how fast it came (0: unknown).

        The way back is taken to be as fast where nobody knows better.
        """
        self._input = state
        self.bits_per_s = self.bits_per_s or came_bits_per_s
        self._journeys = Journeys(self.bits_per_s)

    def stepped(self, seconds: float) -> None:
        """A step of the segment took so long."""
        self._step_s = seconds
        self._computed_s += seconds

    def offer(self, checkpoint: Checkpoint, code: Code) -> None:
        """The state after a step that is not the last; it goes where it is worth that."""
        if self._wanted is Checkpoints.ALWAYS or (
            self._wanted is Checkpoints.AUTO and self._is_worth(checkpoint)
        ):
            self._waiting = _Offer(checkpoint, code, self._computed_s)
            self._changed.set()

    async def take(self) -> tuple[int, Outgoing]:
        """The newest state, once there is one, and the step before which it is."""
        while (offer := self._waiting) is None:
            self._changed.clear()
            await self._changed.wait()
        self._waiting = None
        items: list[Item] = []
        encodings: list[Encoding] = []
        for kept in offer.checkpoint.tensors.values():
            named = self._named(kept)
            if named is not None:
                items.append(named)
                continue
            encoding = await offer.code(kept)
            items.append(Coded(kept.tensor, encoding.codec))
            encodings.append(encoding)
        self._before, self._covered_s = offer.checkpoint, offer.at_s
        return offer.checkpoint.step, Outgoing(items, encodings)

    def came_home(self, outgoing: Outgoing, began_s: float) -> None:
        """One that was taken at that moment of the monotonic clock is there: what it took tells of the next."""
        journey = Journey(time.monotonic() - began_s, outgoing.encode_s)
        self._journeys.took(outgoing.declaration.raw_bytes, journey)
        if journey.home_s > 0:  # the link carried that at least
            self.bits_per_s = max(self.bits_per_s, 8 * outgoing.body_bytes / journey.home_s)

    def _is_worth(self, checkpoint: Checkpoint) -> bool:
        travels = [kept for kept in checkpoint.tensors.values() if self._named(kept) is None]
        raw_bytes = sum(kept.tensor.raw_bytes for kept in travels)
        left_s = (self._stop_step - checkpoint.step) * self._step_s
        moment = Moment(self._step_s, self._computed_s - self._covered_s, left_s)
        return worth_sending(self._journeys.expected(raw_bytes), moment)

    def _named(self, kept: KeptTensor) -> Item | None:
        """How the tensor is called where it is known already; None where it has to travel."""
        if self._input is not None:
            for other, known in self._input.tensors.items():
                if known.is_same_as(kept):
                    return SameAsInput(kept.tensor, other)
        if self._before is not None:
            for other, known in self._before.tensors.items():
                if known.is_same_as(kept):
                    return SameAsBefore(kept.tensor, other)
        return None
