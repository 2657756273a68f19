"""What happens in one job, told to whoever follows it: none of them slows the job down, and all can come later."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from eapg_split.runtime.events import (
    CheckpointKept,
    Hop,
    JobEvent,
    Notice,
    PlanMade,
    PlanReviewed,
    PreviewFrame,
    StepDone,
)
from eapg_split.runtime.jobs.journal import MOST_EVENTS
from eapg_split.runtime.observed import LinkBelieved, NodeBack, NodeDescribed, NodeLost

KEPT: Final = (
    PlanMade, PlanReviewed, StepDone, Hop, CheckpointKept, Notice, NodeDescribed, LinkBelieved, NodeLost, NodeBack,
)  # fmt: skip
"""The kinds that are numbered and kept; the others are for those who follow at the time."""
MOST_PREVIEWS: Final = 64  # frames that wait for one follower; the oldest goes
_MOST_WAITING: Final = 1024  # events that wait for the disk before the job does


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its number in the job, from 1; 0 for what is not kept."""

    number: int
    event: JobEvent


class EventLog:
    """One per job that has not ended. What a follower hears the journal has."""

    def __init__(
        self, write: Callable[[Sequence[Told]], Awaitable[None]], past: Iterable[Told] = (), last: int = 0
    ) -> None:
        """`past` are the events of an earlier daemon up to number `last`; `write` journals further ones."""
        self._write = write
        self._kept = deque(past, MOST_EVENTS)
        self._last = last
        self._waiting: list[Told] = []
        self._writing: asyncio.Task[None] | None = None
        self._followers: set[_Follower] = set()
        self._over = False

    async def emit(self, event: JobEvent) -> None:
        """Tells it. Waits only where the disk is far behind."""
        number = 0
        if isinstance(event, KEPT):
            self._last += 1
            number = self._last
        self._waiting.append(Told(number, event))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._pass_on())
        if len(self._waiting) >= _MOST_WAITING:
            await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Nothing more happens: followers end when they have heard everything."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
        self._over = True
        for follower in self._followers:
            follower.end()

    async def follow(self, first: int = 0) -> AsyncGenerator[Told, None]:
        """What happened from number `first` on, then what happens, until the log is closed."""
        follower = _Follower(told for told in self._kept if told.number >= first)
        if self._over:
            follower.end()
        self._followers.add(follower)
        try:
            while (told := await follower.next()) is not None:
                yield told
        finally:
            self._followers.discard(follower)

    async def _pass_on(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            kept = [told for told in batch if told.number]
            if kept:
                await self._write(kept)
            self._kept.extend(kept)
            for follower in self._followers:
                for told in batch:
                    follower.put(told)


class _Follower:
    """What one reader has not read yet, within bounds."""

    def __init__(self, past: Iterable[Told]) -> None:
        self._unread = deque(past)
        self._previews = 0
        self._missed = 0
        self._news = asyncio.Event()
        self._ended = False

    def put(self, told: Told) -> None:
        if isinstance(told.event, PreviewFrame):
            self._previews += 1
            if self._previews > MOST_PREVIEWS:
                self._drop_preview()
        if len(self._unread) >= MOST_EVENTS:
            self._taken(self._unread.popleft())
            self._missed += 1
        self._unread.append(told)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def next(self) -> Told | None:
        """The next event; None after the last."""
        while not self._unread and not self._missed:
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Told(
                0, Notice(f"{missed} events were left out here: they came faster than they were read.")
            )
        told = self._unread.popleft()
        self._taken(told)
        return told

    def _taken(self, told: Told) -> None:
        self._previews -= isinstance(told.event, PreviewFrame)

    def _drop_preview(self) -> None:
        oldest = next(told for told in self._unread if isinstance(told.event, PreviewFrame))
        self._unread.remove(oldest)
        self._previews -= 1
