"""Looks at the plan of a running job again, and keeps what came of it until the segment that runs has ended."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError, InfeasiblePlan
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import Occasion, PlanView, StepMeasured, Transfer, TransferMeasured, Trigger
from eapg_split.planner.routes import Routes
from eapg_split.runtime.events import Hop, JobEvent, Notice, PlanReviewed, StepDone
from eapg_split.runtime.policy_host import PolicyHost
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.views import Views
from eapg_split.runtime.watch import NodeWatch

_log = logging.getLogger(__name__)
STALLED_S: Final = 2.0  # without a byte that was acknowledged
_TICK_S: Final = 1.0
_MOST_NEWS: Final = 64  # that wait for the look before them


@dataclass
class InFlight:
    """The segment that runs, as the device sees it. `plan` is the one that it belongs to.

    `further` are the segments to whose nodes its state is handed on, so that it comes home after the last of them.
    """

    segment: Segment
    further: tuple[Segment, ...]
    plan: Plan
    unavailable: frozenset[NodeId]
    own: bool
    recall: Recall
    terms: Callable[[int, Plan], HandBack]  # how the state is to come back at a step, to go on by a plan
    abandon: Callable[[], None]  # gives a hand-off up that is on its way
    transfer: Callable[[], Transfer | None]  # that hand-off; None once the node has the state
    reached: int = field(init=False)  # the first step that is not finished yet

    def __post_init__(self) -> None:
        self.reached = self.segment.start_step

    @property
    def stop_step(self) -> int:
        """Where the state comes home if nobody recalls it."""
        return (self.segment, *self.further)[-1].stop_step

    def node_at(self, step: int) -> NodeId:
        """Who computes a step of it."""
        return next(part.node for part in (self.segment, *self.further) if step < part.stop_step)


@dataclass(frozen=True)
class Decision:
    """A plan for what is left, who made it, and why."""

    plan: Plan
    policy: str
    reason: str
    predicted_s: float = 0.0  # 0 where nothing was measured


class Replanner:
    """One per job. The coordinator says what runs; whoever notices something calls `look`."""

    def __init__(
        self, host: PolicyHost, views: Views, emit: Callable[[JobEvent], Awaitable[None]], *, revises: bool
    ) -> None:
        """A policy that does not revise is never asked to."""
        self._host = host
        self._views = views
        self._emit = emit
        self._revises = revises
        self._looking = asyncio.Lock()
        self._decided: Decision | None = None
        self._back: set[NodeId] = set()  # noticed while a segment ran
        self._holder: str | None = None  # who computed the last step
        self.running: InFlight | None = None

    @property
    def routes(self) -> Routes:
        """The ways past the device."""
        return self._views.routes

    def returned(self, left_out: frozenset[NodeId]) -> list[NodeId]:
        """The nodes among those that were lost which may be tried again; told once."""
        back = self._back & left_out
        self._back.clear()
        return [*back, *self._views.returned(left_out - back)]

    @property
    def decided(self) -> bool:
        """Whether the plan that runs is to be replaced when its segment has ended."""
        return self._decided is not None

    def refused(self, node: NodeId, retry_after_s: float) -> None:
        """The node is full and takes work again after that time."""
        self._views.refused(node, retry_after_s)

    def ready_in_s(self, node: NodeId) -> float:
        """Seconds until a node that was full takes work again; 0 for the others."""
        return self._views.ready_in_s(node)

    async def plan(
        self, start_step: int, unavailable: frozenset[NodeId], reason: str = "", *, waiting: bool = False
    ) -> Decision:
        """What to do from `start_step` on: what was decided while the segment before ran, or else a new plan.

        With `waiting` nodes that are full may be used as well, whenever they take work again. Raises InfeasiblePlan.
        """
        async with self._looking:
            view = self._views.at(start_step, unavailable, waiting=waiting)
            decided, self._decided = self._decided, None
            if decided is not None:
                plan = _still_legal(view, decided.plan)
                if plan is not None:
                    return Decision(plan, decided.policy, decided.reason, self._views.price(view, plan))
            answer = await self._host.plan(view)
        self._views.planned()
        await self._warn(answer.warning)
        return Decision(answer.value, answer.policy, reason, self._views.price(view, answer.value))

    async def stepped(self, event: StepDone, *, at_boundary: bool) -> None:
        """A step is done; `at_boundary` says that its node waits before the next one."""
        flight = self.running
        if flight is None:
            return
        arrived = self._holder not in (None, event.node)
        self._holder, flight.reached = event.node, event.step + 1
        self._host.observe(StepMeasured(NodeId(event.node), event.step, event.seconds))
        await self.look(self._views.stepped(event, arrived=arrived), at_boundary=at_boundary)

    async def moved(self, hop: Hop) -> None:
        """A state has moved."""
        source, target = NodeId(hop.source), NodeId(hop.target)
        if hop.seconds > 0:
            self._host.observe(TransferMeasured(source, target, hop.wire_bytes, hop.seconds))
        occasion = self._views.moved(source, target)
        if occasion is not None:
            await self.look(occasion)

    @asynccontextmanager
    async def attending(self, watch: NodeWatch | None) -> AsyncIterator[None]:
        """Looks again for as long as the block lasts when a node crosses a threshold, or a hand-off stands still."""
        if watch is None or not self._revises:
            yield
            return
        news: asyncio.Queue[Occasion] = asyncio.Queue(_MOST_NEWS)
        stop = watch.listen(lambda occasion: None if news.full() else news.put_nowait(occasion))
        attending = asyncio.create_task(self._attend(news))
        try:
            yield
        finally:
            stop()
            attending.cancel()
            await asyncio.gather(attending, return_exceptions=True)

    async def _attend(self, news: "asyncio.Queue[Occasion]") -> None:
        while True:
            occasions = list[Occasion]()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    occasions.append(await news.get())
            if not occasions:
                occasions = self._noticed()
            for occasion in occasions:
                if not self._is_our_own_queue(occasion):
                    await self._look_guarded(occasion)

    async def _look_guarded(self, occasion: Occasion) -> None:
        """Nobody waits for this look: what goes wrong with it must not end those that follow."""
        try:
            await self.look(occasion)
        except Exception:
            _log.exception("a look at the plan failed")

    def _is_our_own_queue(self, occasion: Occasion) -> bool:
        """Whether a node only says how long it is busy with what this job lets it do."""
        flight = self.running
        if occasion.trigger is not Trigger.QUEUE or flight is None:
            return False
        return occasion.node in {part.node for part in (flight.segment, *flight.further)}

    def _noticed(self) -> list[Occasion]:
        """What nobody tells: a hand-off that stands still, nodes that fell silent or are heard again."""
        found = [*self._views.silences(), *self._back_again()]
        transfer = self.running.transfer() if self.running is not None else None
        if transfer is not None and transfer.stalled_s >= STALLED_S:
            words = f"Nothing has gone from {transfer.source} to {transfer.target} for {transfer.stalled_s:.1f} s."
            found.append(Occasion(Trigger.STALL, words, transfer.target))
        return found

    def _back_again(self) -> Iterator[Occasion]:
        flight = self.running
        if flight is None:
            return
        for node in self._views.returned(flight.unavailable):
            self._back.add(node)
            flight.unavailable -= {node}
            yield Occasion(Trigger.NODE, f"{node}, which was lost, may be tried again.", node)

    async def look(self, occasion: Occasion, *, at_boundary: bool = False) -> None:
        """Asks the policy about what is left; `at_boundary` says that the segment's node waits for the answer."""
        if not self._revises:
            return
        async with self._looking:
            if (flight := self.running) is not None:  # it may have ended while others looked
                transfer = flight.transfer()
                step = _next_boundary(flight, transfer, at_boundary=at_boundary)
                if step < self._views.last_step:
                    await self._look(occasion, flight, step, transfer)

    async def _look(self, occasion: Occasion, flight: InFlight, step: int, transfer: Transfer | None) -> None:
        there = transfer is None and not flight.own and step < flight.stop_step
        at = flight.node_at(step - 1) if there else None
        view = self._views.at(step, flight.unavailable, at=at, in_flight=transfer)
        current = flight.plan
        if self._decided is not None and self._decided.plan.start_step <= step:
            current = self._decided.plan
        try:
            answer = await self._host.revise(view, current, occasion)
            kept = rest_of(view, current)
        except InfeasiblePlan:
            return  # the segment that runs goes on: what follows may have changed by then
        await self._warn(answer.warning)
        plan = answer.value.plan
        if plan is not None and (plan.segments, plan.cuts) == (kept.segments, kept.cuts):
            plan = None
        if (plan is None and occasion.trigger is Trigger.STEP) or self.running is not flight:
            return  # logs stay small; and what has ended meanwhile is looked at again with what comes next
        if plan is not None:
            self._views.planned()
            self._decided = Decision(plan, answer.policy, f"{occasion.reason} {answer.value.reason}".strip())
            _adopt(flight, plan, step, moving=transfer is not None)
        before_s = self._views.price(view, kept)
        after_s = before_s if plan is None else self._views.price(view, plan)
        replaced, reason = plan is not None, answer.value.reason
        await self._emit(_reviewed(occasion, reason, step, replaced, (before_s, after_s)))

    async def _warn(self, warning: str) -> None:
        if warning:
            await self._emit(Notice(warning))


def _next_boundary(flight: InFlight, transfer: Transfer | None, *, at_boundary: bool) -> int:
    """Where the segment can end at the earliest: while a state is on its way, before its first step."""
    if transfer is not None:
        return flight.segment.start_step
    return min(flight.reached + (0 if at_boundary else 1), flight.stop_step)


def _adopt(flight: InFlight, plan: Plan, step: int, *, moving: bool) -> None:
    """Ends the segment where the new plan leaves its nodes. What only comes after it needs no hand-back."""
    stop = step
    while stop < flight.stop_step and plan.segment_at(stop).node == flight.node_at(stop):
        stop += 1
    if moving and stop == step:
        flight.abandon()
    elif stop < flight.stop_step or flight.recall.terms is not None:
        flight.recall.ask(flight.terms(stop, plan))


def _still_legal(view: PlanView, plan: Plan) -> Plan | None:
    try:
        return check_plan(view, rest_of(view, plan))
    except EapgError:
        return None


def _reviewed(
    occasion: Occasion, reason: str, step: int, replaced: bool, seconds: tuple[float, float]
) -> PlanReviewed:
    return PlanReviewed(
        trigger=occasion.trigger,
        node=occasion.node or "",
        occasion=occasion.reason,
        outcome="replace" if replaced else "keep",
        reason=reason,
        step=step,
        current_s=seconds[0],
        chosen_s=seconds[1],
    )
