"""Whether the node that runs a segment is still there: it says something at least once every heartbeat.

gRPC's own pings cannot tell so soon: their answers wait behind all that is on its way already, half a minute on a slow
link, so that a limit that finds a dead node in seconds would end good transfers. What is waited for here is any
message, and a node sends none larger than its link carries in about a second.
"""

import asyncio
from typing import Final

from eapg_split.errors import NodeUnavailable

HEARTBEAT_S: Final = 1.0
LOST_AFTER_S: Final = 2.75 * HEARTBEAT_S  # less than three of them, as a busy machine looks late
STILL_S: Final = 10.0  # for which a result that has begun to come may stand still at a node that is alive
_TICK_S: Final = HEARTBEAT_S / 4


class Pulse:
    """One per call. Counts by its own ticks, so that a pause of this process is not taken for the node's silence."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._heard = self._moved = 0
        self.waits = False  # for a message, and does not work on one
        self.returning = False

    def heard(self, *, moved: bool) -> None:
        """A message came; `moved` says that it brought the result further."""
        self._heard += 1
        self._moved += moved

    async def watch(self) -> None:
        """Raises NodeUnavailable once nothing was heard for long, or a result stood still."""
        silent = still = 0
        heard = moved = -1
        while True:
            await asyncio.sleep(_TICK_S)
            silent = silent + 1 if self.waits and self._heard == heard else 0
            still = still + 1 if self.waits and self.returning and self._moved == moved else 0
            heard, moved = self._heard, self._moved
            if (silent + 1) * _TICK_S >= LOST_AFTER_S:
                raise NodeUnavailable(
                    f"Nothing was heard of node {self._node} for {LOST_AFTER_S:g} s: check it and the way there.",
                    node_id=self._node,
                )
            if (still + 1) * _TICK_S >= STILL_S:
                raise NodeUnavailable(
                    f"Nothing more of its result has come from node {self._node} for {STILL_S:g} s.",
                    node_id=self._node,
                )
