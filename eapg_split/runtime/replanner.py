"""Looks at the plan of a running job again, and keeps what came of it until the segment that runs has ended."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import Occasion, StepMeasured, Transfer, TransferMeasured, Trigger
from eapg_split.planner.revisions import same, still_legal
from eapg_split.planner.routes import Routes
from eapg_split.planner.underway import Underway
from eapg_split.runtime.events import Hop, JobEvent, Notice, PlanReviewed, StepDone
from eapg_split.runtime.policy_host import PolicyHost
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.views import LiveViews
from eapg_split.runtime.watch import NodeWatch

_log = logging.getLogger(__name__)
_TICK_S: Final = 1.0
_MOST_NEWS: Final = 64  # that wait for the look before them


@dataclass
class InFlight(Underway):
    """What runs, and how it is asked to end sooner."""

    recall: Recall
    terms: Callable[[int, Plan], HandBack]  # how the state is to come back at a step, to go on by a plan
    abandon: Callable[[], None]  # gives a hand-off up that is on its way
    transfer: Callable[[], Transfer | None]  # that hand-off; None once the node has the state


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
        self,
        host: PolicyHost,
        views: LiveViews,
        emit: Callable[[JobEvent], Awaitable[None]],
        *,
        revises: bool,
    ) -> None:
        """A policy that does not revise is never asked to."""
        self._host = host
        self._views = views
        self._emit = emit
        self._revises = revises
        self._looking = asyncio.Lock()
        self._decided: Decision | None = None
        self._holder: str | None = None  # who computed the last step
        self.running: InFlight | None = None

    @property
    def routes(self) -> Routes:
        """The ways past the device."""
        return self._views.routes

    def returned(self, left_out: frozenset[NodeId]) -> list[NodeId]:
        """The nodes among those that were lost which may be tried again; told once."""
        return self._views.returned(left_out)

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
                plan = still_legal(view, decided.plan)
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
        occasion = self._views.stepped(NodeId(event.node), event.step, event.seconds, arrived=arrived)
        await self.look(occasion, at_boundary=at_boundary)

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
                flight = self.running
                occasions = self._views.noticed(flight, None if flight is None else flight.transfer())
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
        return occasion.node in flight.nodes

    async def look(self, occasion: Occasion, *, at_boundary: bool = False) -> None:
        """Asks the policy about what is left; `at_boundary` says that the segment's node waits for the answer."""
        if not self._revises or not self._views.worth_a_look(occasion):
            return
        async with self._looking:
            if (flight := self.running) is not None:  # it may have ended while others looked
                transfer = flight.transfer()
                step = flight.next_boundary(moving=transfer is not None, at_boundary=at_boundary)
                if step < self._views.last_step:
                    began_s = asyncio.get_running_loop().time()
                    await self._look(occasion, flight, step, transfer)
                    self._views.looked(asyncio.get_running_loop().time() - began_s)

    async def _look(self, occasion: Occasion, flight: InFlight, step: int, transfer: Transfer | None) -> None:
        holder = flight.holder_at(step, moving=transfer is not None)
        view = self._views.at(step, flight.unavailable, at=holder, in_flight=transfer)
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
        if plan is not None and same(view, current, plan):
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


def _adopt(flight: InFlight, plan: Plan, step: int, *, moving: bool) -> None:
    """Ends the segment where the new plan leaves its nodes. What only comes after it needs no hand-back."""
    stop = flight.leaves_at(plan, step)
    if moving and stop == step:
        flight.abandon()
    elif stop < flight.stop_step or flight.recall.terms is not None:
        flight.recall.ask(flight.terms(stop, plan))


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
