"""Who may compute on this node now: so many sessions, each with one attempt at one segment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eapg_split.domain.topology import NodeId
from eapg_split.errors import CapacityExceeded, SessionConflict
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.settings import Limits


@dataclass
class _Holder:
    order: SegmentOrder
    task: asyncio.Task[object] | None
    superseded: bool = False


class Places:
    """The node's places; its length is how many are taken."""

    def __init__(self, node: NodeId, limits: Limits) -> None:
        self._node = node
        self._limits = limits
        self._holders: dict[str, _Holder] = {}

    def __len__(self) -> int:
        return len(self._holders)

    @property
    def sessions(self) -> tuple[str, ...]:
        """Who is in flight here."""
        return tuple(self._holders)

    @asynccontextmanager
    async def held(self, order: SegmentOrder) -> AsyncIterator[None]:
        """Holds a place for the block; a newer attempt at the session takes over the older one's.

        Whoever receives a state holds its place from the first byte on; the same task may ask again inside.
        Raises CapacityExceeded when all are taken, SessionConflict for an old attempt and for one taken over.
        """
        current = self._holder(order)
        task = asyncio.current_task()
        if current is not None and current.task is task:
            yield
            return
        if current is not None:
            current.superseded = True
            if current.task is not None:
                current.task.cancel()
        mine = self._holders[order.session] = _Holder(order, task)
        try:
            yield
        except asyncio.CancelledError:
            if mine.superseded and task is not None:
                task.uncancel()
                raise SessionConflict("A newer attempt took over.", session_id=order.session) from None
            raise
        finally:
            if self._holders.get(order.session) is mine:
                del self._holders[order.session]

    def _holder(self, order: SegmentOrder) -> _Holder | None:
        """Who holds the session's place. Raises where there is none for this order."""
        current = self._holders.get(order.session)
        if current is None and len(self._holders) >= self._limits.sessions:
            raise CapacityExceeded(
                f"Node {self._node} already runs {len(self._holders)} sessions, its limit: try later or place"
                " the segment elsewhere.",
                node_id=self._node,
            )
        if current is not None and _rank(current.order) > _rank(order):
            raise SessionConflict(
                f"Session {order.session} is already at step {current.order.start_step}, attempt"
                f" {current.order.attempt}, on node {self._node}: read the plan again.",
                session_id=order.session,
            )
        return current


def _rank(order: SegmentOrder) -> tuple[int, int]:
    return order.start_step, order.attempt
