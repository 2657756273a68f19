"""Parts as bounded messages, and back: length and checksum are declared before the bytes, and judged before them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from eapg_split.codecs.base import Part
from eapg_split.errors import CorruptPayload
from eapg_split.rpc.v1 import common_pb2
from eapg_split.rpc.wire import PART_CHUNK_BYTES, ReplyField, pack, part_head, unpack_part
from eapg_split.runtime.handoff import Ready

CHECKSUM_BYTES: Final = 16
TOGETHER_BYTES: Final = 2**19  # parts in one message; every message costs both ends about as much as 100 KiB
_UNKNOWN_BYTES: Final = 2**17  # of a message on a link of which nobody knows anything
_LEAST_BYTES: Final = 2**14  # of a message on the slowest link
_CHUNK_FIELD: Final = 2  # of RunRequest and of RunReply


def message_bytes(bits_per_s: float) -> int:
    """How large a message may be on such a link (0: unknown): something is heard there every half second."""
    half_a_second = int(bits_per_s / 16) if bits_per_s else _UNKNOWN_BYTES
    return min(max(half_a_second, _LEAST_BYTES), TOGETHER_BYTES)


def part_messages(
    field: int, first: int, batch: Sequence[Ready], *, most_bytes: int = TOGETHER_BYTES
) -> Iterator[bytes]:
    """Parts that can go now, as few messages; `first` is the number of the first, `field` that of a part.

    Below TOGETHER_BYTES `most_bytes` bounds each message, else each part of one.
    """
    each = most_bytes if most_bytes < TOGETHER_BYTES else PART_CHUNK_BYTES
    pieces: list[bytes | memoryview] = []
    size = 0
    for index, ready in enumerate(batch, first):
        body = memoryview(ready.part.body)
        head = _head(field, index, ready, each)
        if pieces and size + len(head) + len(body) > most_bytes:
            yield b"".join(pieces)
            pieces, size = [], 0
        pieces += head, body[:each]
        size += len(head) + len(body)
        if len(body) > each:
            yield b"".join(pieces)
            pieces, size = [], 0
            for start in range(each, len(body), each):
                yield pack(_CHUNK_FIELD, body[start : start + each])
    if pieces:
        yield b"".join(pieces)


def checkpoint_messages(index: int, ready: Ready, each: int) -> Iterator[bytes]:
    """One part of a checkpoint as messages of so many bytes at most, so that what is more urgent gets in between."""
    body = memoryview(ready.part.body)
    yield _head(ReplyField.CHECKPOINT_PART, index, ready, each) + bytes(body[:each])
    for start in range(each, len(body), each):
        yield pack(ReplyField.CHECKPOINT_CHUNK, body[start : start + each])


def _head(field: int, index: int, ready: Ready, most_bytes: int = PART_CHUNK_BYTES) -> bytes:
    part = ready.part
    header = common_pb2.PartHeader(
        index=index,
        body_bytes=len(part.body),
        checksum=bytes.fromhex(part.checksum),
        ready_s=ready.since_s,
    )
    return part_head(field, header.SerializeToString(), min(len(part.body), most_bytes))


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
