"""The last result of each session, for as long as its sender may ask again because the answer was lost."""

import asyncio
from dataclasses import dataclass

from eapg_split.codecs.base import Payload
from eapg_split.runtime.peer import SegmentDone, SegmentOrder
from eapg_split.runtime.settings import Limits


@dataclass(frozen=True)
class _Kept:
    key: tuple[int, int, str, str]
    done: SegmentDone


class KeptResults:
    """Bounded in bytes and in time; the oldest goes first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_session: dict[str, _Kept] = {}

    def get(self, order: SegmentOrder, payload: Payload) -> SegmentDone | None:
        """The result of the same steps on the same input, where it is still there."""
        kept = self._by_session.get(order.session)
        return kept.done if kept is not None and kept.key == _key(order, payload) else None

    def add(self, order: SegmentOrder, payload: Payload, done: SegmentDone) -> None:
        """Keeps `done` in place of the session's earlier result."""
        kept = _Kept(_key(order, payload), done)
        self._by_session.pop(order.session, None)
        self._by_session[order.session] = kept
        while sum(len(each.done.payload.body) for each in self._by_session.values()) > (
            self._limits.kept_result_bytes
        ):
            del self._by_session[next(iter(self._by_session))]
        loop = asyncio.get_running_loop()
        loop.call_later(self._limits.kept_result_s, self._expire, order.session, kept)

    def _expire(self, session: str, kept: _Kept) -> None:
        if self._by_session.get(session) is kept:
            del self._by_session[session]


def _key(order: SegmentOrder, payload: Payload) -> tuple[int, int, str, str]:
    return order.start_step, order.stop_step, payload.checksum, order.result_codec
