"""What comes to a node on one stream: a header, parts, and then word that previews were taken, and recalls."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from eapg_split.codecs.base import Part
from eapg_split.errors import CorruptPayload, DeadlineExceeded, EapgError, InvalidRequest
from eapg_split.rpc.frames import PartReader
from eapg_split.rpc.v1 import common_pb2
from eapg_split.rpc.wire import ReplyField, RequestField, pack, unpack, unpack_all

AHEAD_MESSAGES: Final = 2  # read ahead of whoever takes them
_STOPPING_S: Final = 2.0
_ACKS_TOGETHER: Final = 16
_ACKS_WITHIN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class ArrivedPart:
    """A part that is there whole, and when, on the loop's clock; `late` where it may have been there earlier."""

    part: Part
    index: int
    at_s: float
    late: bool

    @property
    def ack(self) -> common_pb2.Ack:
        """What is answered to it."""
        return common_pb2.Ack(index=self.index, arrived_s=self.at_s, late=self.late)


@dataclass(frozen=True, slots=True)
class _Message:
    """One message, when it came, and whether it had to wait for its turn before that."""

    data: bytes
    at_s: float
    late: bool


class Incoming:
    """Made by `open_incoming`; gives up a sender that is silent for `limit_s`.

    One task reads, a few messages ahead of whoever takes them: gRPC cannot read again once a read was given up. Until
    `go_on` it reads the first message only, and the sender is held by the flow control of the link.
    """

    def __init__(self, read: Callable[[], Awaitable[object]], limit_s: float) -> None:
        self._read = read
        self._limit_s = limit_s
        self._came: asyncio.Queue[_Message | None] = asyncio.Queue(AHEAD_MESSAGES)
        self._acks: list[common_pb2.Ack] = []
        self._wanted = asyncio.Event()

    def go_on(self) -> None:
        """What follows the first message may come."""
        self._wanted.set()

    async def run(self) -> None:
        """Reads until the stream ends."""
        late = False
        while isinstance(data := await self._read(), bytes):
            message = _Message(data, asyncio.get_running_loop().time(), late)
            late = self._came.full()
            await self._came.put(message)
            await self._wanted.wait()
        await self._came.put(None)

    async def message(self) -> tuple[int, memoryview]:
        """Field and body of the next message. Raises DeadlineExceeded, or CorruptPayload where the stream ends."""
        return unpack((await self._next()).data)

    async def parts(
        self, count: int, check: Callable[[int, int], None], *, answer: Callable[[bytes], None]
    ) -> AsyncGenerator[ArrivedPart, None]:
        """The next `count` parts; `check` judges each by its number and length, before its bytes.

        `answer` gets the acks, some at a time.
        """
        reader = PartReader(check)
        told_s = 0.0
        while count:
            message = await self._next()
            for field, body in unpack_all(message.data):
                if field == RequestField.PART:
                    arrived = reader.take_part(body)
                elif field == RequestField.CHUNK:
                    arrived = reader.take_chunk(body)
                else:
                    raise InvalidRequest("After its header a segment's stream carries parts only.")
                if arrived is not None:
                    count -= 1
                    came = ArrivedPart(arrived.part, arrived.index, message.at_s, message.late)
                    self._acks.append(came.ack)
                    late_s = message.at_s - told_s  # on a slow link each part is told of
                    if not count or len(self._acks) == _ACKS_TOGETHER or late_s > _ACKS_WITHIN_S:
                        told_s = message.at_s
                        acks, self._acks = common_pb2.Acks(acks=self._acks), []
                        answer(pack(ReplyField.ACKS, acks.SerializeToString()))
                    yield came

    @asynccontextmanager
    async def watched(self, heard: Callable[[int, memoryview], None]) -> AsyncIterator[None]:
        """Tells field and body of what comes within the block; an error of ours that `heard` raises drops it."""
        watching = asyncio.create_task(self._watch(heard))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def ended(self) -> None:
        """Returns when the sender has stopped, or after a while all the same; what still comes is dropped."""
        self.go_on()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOPPING_S):
                while await self._came.get() is not None:
                    pass

    async def _next(self) -> _Message:
        try:
            async with asyncio.timeout(self._limit_s):
                message = await self._came.get()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"Nothing came for {self._limit_s:g} s in the middle of a hand-off."
            ) from error
        if message is None:
            self._came.put_nowait(None)  # whoever asks again hears the same
            raise CorruptPayload("A hand-off ended before all of it had come: send it again.")
        return message

    async def _watch(self, heard: Callable[[int, memoryview], None]) -> None:
        while (message := await self._came.get()) is not None:
            with contextlib.suppress(EapgError):
                heard(*unpack(message.data))
        self._came.put_nowait(None)


@asynccontextmanager
async def open_incoming(read: Callable[[], Awaitable[object]], limit_s: float) -> AsyncIterator[Incoming]:
    """What `read` gives, for as long as the block lasts."""
    incoming = Incoming(read, limit_s)
    reading = asyncio.create_task(incoming.run())
    try:
        yield incoming
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
