"""How far a hand-off has come, and since when nothing of it has moved."""

import asyncio
from collections.abc import Coroutine
from typing import Final, TypeVar

from eapg_split.domain.topology import NodeId
from eapg_split.errors import NodeUnavailable
from eapg_split.planner.policy import Transfer
from eapg_split.runtime.events import Accepted, Acknowledged, SegmentEvent
from eapg_split.runtime.handoff import Outgoing

STILL_S: Final = 10.0
_LOOK_S: Final = 1.0
_UNKNOWN_BITS_PER_S: Final = 10e6  # of a link that has carried nothing yet

T = TypeVar("T")


class Sending:
    """One hand-off on its way. It is acknowledged part by part: the time of one on such a link is no standstill."""

    def __init__(
        self,
        ends: tuple[NodeId, NodeId],
        outgoing: Outgoing,
        bits_per_s: float | None,
        *,
        begins_in_s: float = 0.0,
    ) -> None:
        """`ends` are source and target, `bits_per_s` what the link between them is believed to carry.

        Until it begins it does not stand still.
        """
        self._ends = ends
        self._outgoing = outgoing
        self._bits_per_s = bits_per_s or _UNKNOWN_BITS_PER_S
        self._arrived_bytes = 0
        self._moved_s = asyncio.get_running_loop().time() + begins_in_s
        self.over = False

    def note(self, event: SegmentEvent) -> None:
        """Takes what the target says."""
        if isinstance(event, Acknowledged):
            self._arrived_bytes += event.bytes
            self._moved_s = asyncio.get_running_loop().time()
        self.over |= isinstance(event, Accepted)

    async def unless_still(self, running: Coroutine[object, object, T]) -> T:
        """What `running` gives, which reports to `note`. Raises NodeUnavailable once the hand-off stands still."""
        task = asyncio.ensure_future(running)
        try:
            while not (await asyncio.wait((task,), timeout=_LOOK_S))[0]:
                self._check_moving()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _check_moving(self) -> None:
        source, target = self._ends
        if not self.over and self.transfer().stalled_s > STILL_S:
            raise NodeUnavailable(
                f"Nothing has gone from {source} to {target} for more than {STILL_S:g} s.", node_id=target
            )

    def transfer(self) -> Transfer:
        """As a policy sees it."""
        expected = self._outgoing.expected_bytes
        part_s = 8 * expected / max(1, self._outgoing.count) / self._bits_per_s
        silent_s = asyncio.get_running_loop().time() - self._moved_s
        remaining = max(0, expected - self._arrived_bytes)
        return Transfer(*self._ends, remaining, max(0.0, silent_s - part_s))
