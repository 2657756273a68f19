"""States that come home while their segment goes on: put together from messages, and told once each is whole."""

import asyncio
from collections.abc import Mapping

from eapg_split.codecs.base import Codec
from eapg_split.errors import CorruptPayload
from eapg_split.rpc.convert_handoff import declaration_from_proto
from eapg_split.rpc.frames import PartReader
from eapg_split.rpc.seals import unseal
from eapg_split.rpc.v1 import node_pb2
from eapg_split.rpc.wire import ReplyField
from eapg_split.runtime.events import CheckpointCame, Passage
from eapg_split.runtime.goodput import Trip, samples
from eapg_split.runtime.peer import Emit
from eapg_split.runtime.reception import Reception


class CheckpointReader:
    """One per call. A checkpoint that is not whole when the next one is announced counts for nothing."""

    def __init__(self, emit: Emit, codecs: Mapping[str, Codec]) -> None:
        self._emit = emit
        self._codecs = codecs
        self._arriving: _Arriving | None = None

    async def take(self, field: int, body: memoryview, at_s: float, *, late: bool) -> None:
        """A message of one, which came at `at_s`; `late` where it may have been there earlier.

        Raises CorruptPayload, or InvalidRequest for a declaration beyond the bounds.
        """
        if field == ReplyField.CHECKPOINT:
            header = unseal(node_pb2.RunCheckpoint, body)
            self._arriving = _Arriving(header, self._codecs)
        arriving = self._arriving
        if arriving is None:
            raise CorruptPayload("Bytes came that belong to no checkpoint: send it again.")
        if field != ReplyField.CHECKPOINT:
            await arriving.take(field, body, at_s, late=late)
        if arriving.is_whole:
            self._arriving = None
            await tell(
                self._emit, arriving.trips, [trip.arrived_s for trip in arriving.trips], outbound=False
            )
            await self._emit(await arriving.whole())


class _Arriving:
    def __init__(self, header: node_pb2.RunCheckpoint, codecs: Mapping[str, Codec]) -> None:
        self._step = header.step
        self._reception = Reception(declaration_from_proto(header.state), codecs, keep=True, decode=False)
        self._reader = PartReader(self._reception.check)
        self._began_s = asyncio.get_running_loop().time()
        self.trips: list[Trip] = []

    @property
    def is_whole(self) -> bool:
        return self._reception.taken == self._reception.count

    async def take(self, field: int, body: memoryview, at_s: float, *, late: bool) -> None:
        is_part = field == ReplyField.CHECKPOINT_PART
        arrived = self._reader.take_part(body) if is_part else self._reader.take_chunk(body)
        if arrived is not None:
            self.trips.append(Trip(len(arrived.part.body), arrived.ready_s, at_s, late))
            await self._reception.add(arrived.part)

    async def whole(self) -> CheckpointCame:
        received = await self._reception.finish()
        seconds = asyncio.get_running_loop().time() - self._began_s
        return CheckpointCame(self._step, self._reception.declaration, received.encodings, seconds)


async def tell(emit: Emit, trips: list[Trip], moments_s: list[float], *, outbound: bool) -> None:
    """What the trips of parts say of the link; `moments_s` are those of their arrival on this loop's clock."""
    for sample in samples(trips):
        await emit(Passage(outbound, sample.size_bytes, sample.seconds, moments_s[sample.last]))
