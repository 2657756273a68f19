"""How much memory the segments of this node may need together: what does not fit waits, or is refused at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import CapacityExceeded, DeadlineExceeded
from eapg_split.runtime.handoff import Declaration
from eapg_split.runtime.peer import SegmentOrder


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of one segment: its states, and what its most demanding step takes with the weights."""

    states: int
    working: int

    @classmethod
    def of(cls, order: SegmentOrder, workload: Workload, state: Declaration) -> "Need":
        """By what was declared and what the workload says; the order was checked against both."""
        last = order.onward[-1].stop_step if order.onward else order.stop_step
        comes, leaves = state.spec.raw_bytes, workload.spec_after(last - 1).raw_bytes
        on_its_way = comes + workload.spec_after(order.stop_step - 1).raw_bytes if order.onward else 0
        stages = {workload.stage_of(step) for step in range(order.start_step, order.stop_step)}
        # a result is there as numbers and coded; what is handed on stays as it came, too
        return cls(comes + 2 * leaves + on_its_way, max(stage.memory_bytes for stage in stages))


class Room:
    """One per worker. Steps run one at a time, so that only the largest need for them counts."""

    def __init__(self, node: NodeId, memory_bytes: int, in_flight_bytes: int) -> None:
        """`in_flight_bytes` bounds the states alone."""
        self._node = node
        self._memory_bytes = memory_bytes
        self._in_flight_bytes = in_flight_bytes
        self._taken: list[Need] = []
        self._waiting: deque[tuple[Need, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, need: Need, order: SegmentOrder) -> AsyncIterator[None]:
        """Takes the room for the block; waits while others have it, in the order of arrival.

        Raises CapacityExceeded where it would not fit by itself, DeadlineExceeded.
        """
        self._check(need)
        place = need, asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            async with asyncio.timeout_at(order.deadline.when):
                await place[1]
        except TimeoutError:
            self._leave(place)
            raise DeadlineExceeded(
                f"The job's deadline passed while it waited for memory of node {self._node}: give it more time.",
                session_id=order.session,
            ) from None
        except asyncio.CancelledError:
            self._leave(place)
            raise
        try:
            yield
        finally:
            self._leave(place)

    def _check(self, need: Need) -> None:
        if not self._fits([need]):
            raise CapacityExceeded(
                f"The segment needs about {(need.states + need.working) / 1e6:.0f} MB, {need.states / 1e6:.0f} MB of"
                f" it for its states, and node {self._node} may use {self._memory_bytes / 1e6:.0f} MB and"
                f" {self._in_flight_bytes / 1e6:.0f} MB: ask for a smaller video, or place it elsewhere.",
                node_id=self._node,
            )

    def _fits(self, needs: list[Need]) -> bool:
        states = sum(need.states for need in needs)
        working = max(need.working for need in needs)
        return states <= self._in_flight_bytes and states + working <= self._memory_bytes

    def _admit(self) -> None:
        while self._waiting and self._fits([*self._taken, self._waiting[0][0]]):
            need, turn = self._waiting.popleft()
            if not turn.done():
                self._taken.append(need)
                turn.set_result(None)

    def _leave(self, place: "tuple[Need, asyncio.Future[None]]") -> None:
        need, turn = place
        if place in self._waiting:
            self._waiting.remove(place)
        elif turn.done() and not turn.cancelled():
            self._taken.remove(need)
        self._admit()
