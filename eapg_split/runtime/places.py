"""Who may compute on this node now, and who waits for that: so many sessions each, with one attempt at one segment."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.topology import NodeId
from eapg_split.errors import CapacityExceeded, DeadlineExceeded, EapgError, NodeUnavailable, SessionConflict
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.settings import Limits

_MOST_CALLERS: Final = 256  # whose last turn is remembered


@dataclass(eq=False)
class _Claim:
    order: SegmentOrder
    task: asyncio.Task[object] | None
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    refusal: EapgError | None = None
    superseded: bool = False


class Places:
    """The node's places; its length is how many are taken.

    Whoever waits gets the next one in turn: first the caller that holds the fewest, then the one served longest ago.
    """

    def __init__(
        self, node: NodeId, limits: Limits, ahead_s: Callable[[tuple[str, ...]], float] = lambda sessions: 1.0
    ) -> None:
        """`ahead_s` says how long the segments of these sessions will still take."""
        self._node = node
        self._limits = limits
        self._ahead_s = ahead_s
        self._holders: dict[str, _Claim] = {}
        self._waiting: dict[str, _Claim] = {}
        self._turns: dict[str, int] = {}  # by caller, when it was served last
        self._closed = False

    def __len__(self) -> int:
        return len(self._holders)

    @property
    def sessions(self) -> tuple[str, ...]:
        """Who is in flight here, and who waits."""
        return (*self._holders, *self._waiting)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether no segment is taken any more."""
        return self._closed

    def close(self) -> None:
        """Takes no segment of others from now on; those that wait are refused, those that run are left alone."""
        self._closed = True
        for claim in tuple(self._waiting.values()):
            if claim.order.caller:
                self._refuse(claim, self._draining())

    def check_open(self) -> None:
        """Raises NodeUnavailable once this is closed."""
        if self._closed:
            raise self._draining()

    def check(self, order: SegmentOrder) -> None:
        """Raises what `held` would raise at once: for a look at an order before anything is done with it."""
        if order.caller:
            self.check_open()
        current = self._holders.get(order.session) or self._waiting.get(order.session)
        if current is not None and _rank(current.order) > _rank(order):
            raise SessionConflict(
                f"Session {order.session} is already at step {current.order.start_step}, attempt"
                f" {current.order.attempt}, on node {self._node}: read the plan again.",
                session_id=order.session,
            )
        if current is None and self._crowded and self._greediest(order.caller) is None:
            raise self._full()

    @asynccontextmanager
    async def held(self, order: SegmentOrder) -> AsyncIterator[None]:
        """Holds a place for the block, and waits for it first; a newer attempt at the session takes over the older's.

        Whoever receives a state holds its place from the first byte on; the same task may ask again inside. Raises
        CapacityExceeded when too many wait already, SessionConflict for an old attempt and for one taken over,
        NodeUnavailable once this is closed, DeadlineExceeded.
        """
        task = asyncio.current_task()
        holder = self._holders.get(order.session)
        if holder is not None and holder.task is task:
            yield
            return
        self.check(order)
        mine = _Claim(order, task)
        self._enter(mine)
        try:
            await self._turn_of(mine)
            yield
        except asyncio.CancelledError:
            if mine.superseded and task is not None:
                task.uncancel()
                raise SessionConflict("A newer attempt took over.", session_id=order.session) from None
            raise
        finally:
            self._leave(mine)

    def release(self, order: SegmentOrder) -> None:
        """Gives up the place that this task holds, before the end of the block."""
        holder = self._holders.get(order.session)
        if holder is not None and holder.task is asyncio.current_task():
            self._leave(holder)

    @property
    def _crowded(self) -> bool:
        free = self._limits.sessions - len(self._holders)
        return free <= 0 and len(self._waiting) >= self._limits.queued

    def _enter(self, mine: _Claim) -> None:
        session = mine.order.session
        for claims in (self._holders, self._waiting):
            older = claims.pop(session, None)
            if older is not None:
                older.superseded = True
                if older.task is not None:
                    older.task.cancel()
                claims[session] = mine
                if claims is self._holders:
                    mine.turn.set_result(None)
                return
        if len(self._holders) < self._limits.sessions:
            self._grant(mine)
            return
        if self._crowded and (greedy := self._greediest(mine.order.caller)) is not None:
            self._refuse(greedy, self._full())
        self._waiting[session] = mine

    async def _turn_of(self, mine: _Claim) -> None:
        try:
            async with asyncio.timeout_at(mine.order.deadline.when):
                await mine.turn
        except TimeoutError:
            raise DeadlineExceeded(
                f"The job's deadline passed while it waited for node {self._node}: give it more time.",
                session_id=mine.order.session,
            ) from None
        refusal, mine.refusal = mine.refusal, None
        try:
            if refusal is not None:
                raise refusal
        finally:
            del refusal  # its traceback would keep this frame, and all that hangs on it

    def _leave(self, mine: _Claim) -> None:
        for claims in (self._holders, self._waiting):
            if claims.get(mine.order.session) is mine:
                del claims[mine.order.session]
        while self._waiting and len(self._holders) < self._limits.sessions:
            held = Counter(claim.order.caller for claim in self._holders.values())
            turns = self._turns
            self._grant(
                min(
                    self._waiting.values(),
                    key=lambda claim: (held[claim.order.caller], turns.get(claim.order.caller, 0)),
                )
            )

    def _grant(self, claim: _Claim) -> None:
        caller, session = claim.order.caller, claim.order.session
        latest = max(self._turns.values(), default=0)
        self._turns.pop(caller, None)
        self._turns[caller] = latest + 1
        if len(self._turns) > _MOST_CALLERS:
            del self._turns[next(iter(self._turns))]
        self._waiting.pop(session, None)
        self._holders[session] = claim
        if not claim.turn.done():  # else it was cancelled just now, and leaves at once
            claim.turn.set_result(None)

    def _greediest(self, caller: str) -> _Claim | None:
        """Who makes room for the caller: the last of whoever has most waiting, if the caller has fewer even then."""
        waiting = Counter(claim.order.caller for claim in self._waiting.values())
        greedy, count = max(waiting.items(), key=lambda item: item[1], default=("", 0))
        if count <= waiting[caller] + 1:
            return None
        return next(claim for claim in reversed(self._waiting.values()) if claim.order.caller == greedy)

    def _refuse(self, claim: _Claim, error: EapgError) -> None:
        del self._waiting[claim.order.session]
        claim.refusal = error
        if not claim.turn.done():
            claim.turn.set_result(None)

    def _full(self) -> CapacityExceeded:
        return CapacityExceeded(
            f"Node {self._node} already runs {len(self._holders)} sessions and lets {len(self._waiting)} wait, its"
            " limits: try later or place the segment elsewhere.",
            node_id=self._node,
            retry_after_s=self._ahead_s(self.sessions),
        )

    def _draining(self) -> NodeUnavailable:
        return NodeUnavailable(f"Node {self._node} drains: place the work elsewhere.", node_id=self._node)


def _rank(order: SegmentOrder) -> tuple[int, int]:
    return order.start_step, order.attempt
