"""What a node has to say on one stream, in the order of its urgency: parts and acks, steps, checkpoints, previews.

One task writes. A checkpoint or a preview never waits ahead of a result: what is not written yet is passed by what is
more urgent, and so few messages of them are on their way unread that they cannot fill the link either. Without that a
link that breaks down would be full, for half a minute, of states that nobody will need.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from eapg_split.errors import NodeUnavailable
from eapg_split.planner.checkpoints import AHEAD

WINDOW_MESSAGES: Final = 4  # parts and chunks that wait to be written
MAX_PREVIEWS: Final = 64  # frames that wait; beyond it the oldest is dropped
CREDIT: Final = AHEAD  # messages of checkpoints and previews that the reader has not taken yet

_LAST_WRITE_S: Final = 1.0


class Outbox:
    """Made by `open_outbox`. Only `send` and `finish` wait for the link."""

    def __init__(
        self, write: Callable[[bytes], Awaitable[None]], *, beat: bytes = b"", beat_s: float | None = None
    ) -> None:
        """`beat` is written at once, and whenever nothing else was for `beat_s`."""
        self._write = write
        self.beat = beat
        self._beat_s = beat_s
        self._urgent: deque[bytes] = deque()
        self._steps: deque[bytes] = deque()
        self._checkpoint: deque[bytes] = deque()  # one at most
        self._previews: deque[deque[bytes]] = deque()
        self._begun: deque[bytes] = deque()  # the rest of the preview that is being sent
        self._given = self._taken = 0  # messages of checkpoints and previews, to the link and by the reader
        self._closing = self._writing = self._stopped = False
        self._changed = asyncio.Event()
        self._written = asyncio.Event()

    def say(self, message: bytes) -> None:
        """Something small that others wait for."""
        self._put(self._urgent, message)

    def step(self, message: bytes) -> None:
        """Progress."""
        self._put(self._steps, message)

    def preview(self, messages: Sequence[bytes]) -> None:
        """One frame, which is sent whole or, where too many wait, not at all."""
        if len(self._previews) == MAX_PREVIEWS:
            self._previews.popleft()
        self._previews.append(deque(messages))
        self._changed.set()

    def taken(self) -> None:
        """The reader has taken a message of a checkpoint or a preview."""
        self._taken = min(self._taken + 1, self._given)
        self._changed.set()
        self._written.set()

    async def send(self, message: bytes) -> None:
        """A piece of a result: waits while the window is full."""
        while len(self._urgent) >= WINDOW_MESSAGES:
            await self._next_written()
        self._put(self._urgent, message)

    async def spare(self, message: bytes) -> None:
        """A piece of a checkpoint: waits until the one before it is written, after all that is more urgent."""
        while self._checkpoint:
            await self._next_written()
        self._put(self._checkpoint, message)

    async def emptied(self) -> None:
        """Returns when the reader has taken all that was given to `spare`."""
        while self._checkpoint:
            await self._next_written()
        last = self._given
        while self._taken < last:
            await self._next_written()

    def drop_checkpoint(self) -> None:
        """What is not written of it is not sent any more: the result is on its way."""
        self._checkpoint.clear()

    async def finish(self, last: bytes) -> None:
        """Returns when all is written: what waits, previews too (nothing is behind them any more), then `last`."""
        self._closing = True
        self._changed.set()
        while self._urgent or self._steps or self._previews or self._begun:
            await self._next_written()
        self._put(self._urgent, last)
        while self._urgent or self._writing:
            await self._next_written()

    async def run(self) -> None:
        """Writes until it is stopped. Raises what the stream raises."""
        if self.beat:
            await self._write(self.beat)
        while not self._stopped:
            message = self._next()
            if message is None:
                self._changed.clear()
                if await self._is_quiet():
                    await self._write(self.beat)
                continue
            self._writing = True
            await self._write(message)
            self._writing = False
            self._written.set()

    def stop(self) -> None:
        """Lets `run` return after the message that is being written; the others are dropped."""
        self._stopped = True
        self._changed.set()

    def _put(self, queue: deque[bytes], message: bytes) -> None:
        queue.append(message)
        self._changed.set()

    def _next(self) -> bytes | None:
        for queue in (self._urgent, self._steps):
            if queue:
                return queue.popleft()
        if not self._begun and self._previews:
            self._begun = self._previews.popleft()
        spare = self._checkpoint or self._begun
        if spare and (self._given - self._taken < CREDIT or self._closing):
            self._given += 1
            return spare.popleft()
        return None

    async def _is_quiet(self) -> bool:
        """Waits for something to write; True where there was nothing for so long that a beat is due."""
        try:
            async with asyncio.timeout(self._beat_s):
                await self._changed.wait()
        except TimeoutError:
            return True
        return False

    async def _next_written(self) -> None:
        """Returns when another message was written, or taken."""
        self._written.clear()
        await self._written.wait()


@asynccontextmanager
async def open_outbox(
    write: Callable[[bytes], Awaitable[None]], *, beat: bytes = b"", beat_s: float | None = None
) -> AsyncIterator[Outbox]:
    """An outbox whose task ends with the block. What ends the task early ends the block as well."""
    outbox = Outbox(write, beat=beat, beat_s=beat_s)
    owner = asyncio.current_task()
    assert owner is not None
    gone = False

    async def run() -> None:
        nonlocal gone
        try:
            await outbox.run()
        except asyncio.CancelledError:
            raise
        except Exception:  # whatever gRPC says here, the reader is gone
            gone = True
            owner.cancel()

    writing = asyncio.create_task(run())
    try:
        yield outbox
    except asyncio.CancelledError:
        if gone:
            owner.uncancel()
            raise NodeUnavailable("Whoever asked for the segment is gone.") from None
        raise
    finally:
        # gRPC cannot end a call properly while one of its messages is being written
        outbox.stop()
        await asyncio.wait((writing,), timeout=_LAST_WRITE_S)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
