"""Parts as bounded messages, and back: length and checksum are declared before the bytes, and judged before them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from eapg_split.codecs.base import Part
from eapg_split.errors import CorruptPayload
from eapg_split.rpc.v1 import common_pb2
from eapg_split.rpc.wire import CHUNK_BYTES, PART_CHUNK_BYTES, pack, pack_part, unpack_part
from eapg_split.runtime.handoff import Ready

CHECKSUM_BYTES: Final = 16
_CHUNK_FIELD: Final = 2  # of RunRequest and of RunReply


def part_messages(field: int, index: int, ready: Ready) -> Iterator[bytes]:
    """One part: its header with as many of its bytes as fit, then the rest in chunks. `field` is that of the part."""
    part = ready.part
    header = common_pb2.PartHeader(
        index=index,
        body_bytes=len(part.body),
        checksum=bytes.fromhex(part.checksum),
        ready_s=ready.since_s,
    )
    view = memoryview(part.body)
    yield pack_part(field, header.SerializeToString(), view[:PART_CHUNK_BYTES])
    for start in range(PART_CHUNK_BYTES, len(view), CHUNK_BYTES):
        yield pack(_CHUNK_FIELD, view[start : start + CHUNK_BYTES])


@dataclass(frozen=True, slots=True)
class Arrived:
    """A part that is there whole, its number, and when the sender had it ready, on the sender's clock."""

    part: Part
    index: int
    ready_s: float


class PartReader:
    """Puts parts together from messages; memory grows only with bytes that really came."""

    def __init__(self, check: Callable[[int, int], None]) -> None:
        """`check` judges a part by its number and length, before its bytes."""
        self._check = check
        self._header: common_pb2.PartHeader | None = None
        self._chunks: list[memoryview] = []
        self._missing = 0

    @property
    def inside(self) -> bool:
        """Whether a part has begun and is not whole yet."""
        return self._header is not None

    def take_part(self, body: memoryview) -> Arrived | None:
        """The message that begins a part; the part itself where that was all of it. Raises CorruptPayload."""
        if self._header is not None:
            raise CorruptPayload(
                "A part began before the one ahead of it had ended: send the hand-off again."
            )
        raw, chunk = unpack_part(body)
        try:
            header = common_pb2.PartHeader.FromString(raw)
        except DecodeError as error:
            raise CorruptPayload("The header of a part makes no sense: send the hand-off again.") from error
        if len(header.checksum) != CHECKSUM_BYTES:
            raise CorruptPayload("The header of a part has no usable checksum: send the hand-off again.")
        self._check(header.index, header.body_bytes)
        self._header, self._missing = header, header.body_bytes
        return self._add(chunk)

    def take_chunk(self, chunk: memoryview) -> Arrived | None:
        """More bytes of the part that has begun. Raises CorruptPayload for none, or more than were declared."""
        if self._header is None or not len(chunk):
            raise CorruptPayload("Bytes came that belong to no part: send the hand-off again.")
        return self._add(chunk)

    def _add(self, chunk: memoryview) -> Arrived | None:
        header = self._header
        assert header is not None
        if len(chunk) > self._missing:
            raise CorruptPayload("More bytes came than the part's header declared: send the hand-off again.")
        self._chunks.append(chunk)
        self._missing -= len(chunk)
        if self._missing:
            return None
        body = bytes(self._chunks[0]) if len(self._chunks) == 1 else b"".join(self._chunks)
        self._header, self._chunks = None, []
        return Arrived(Part(body, header.checksum.hex()), header.index, header.ready_s)
