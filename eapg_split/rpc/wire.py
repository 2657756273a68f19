"""The two messages of `NodeService.Run` that carry chunks, packed and unpacked without protobuf's copy of the bytes.

Each message is a protobuf message with exactly one length-delimited field set, so any protobuf client can talk to it;
but a `bytes` field costs 40 % of the throughput when protobuf itself writes and parses it.
"""

from enum import IntEnum

from eapg_split.errors import CorruptPayload

MAX_MESSAGE_BYTES = 2**20
_LENGTH_DELIMITED = 2
_LONGEST_PREFIX = 1 + 5  # tag, then a varint of up to 2**32
CHUNK_BYTES = MAX_MESSAGE_BYTES - _LONGEST_PREFIX


class RequestField(IntEnum):
    """Field numbers of RunRequest in node.proto."""

    HEADER = 1
    CHUNK = 2


class ReplyField(IntEnum):
    """Field numbers of RunReply in node.proto."""

    ACCEPTED = 1
    CHUNK = 2
    STEP = 3
    PREVIEW = 4
    RESULT = 5
    DONE = 6


def pack(field: int, body: bytes | memoryview) -> bytes:
    """One message with one field. Raises ValueError beyond MAX_MESSAGE_BYTES: the caller cuts into chunks."""
    length = len(body)
    if length > CHUNK_BYTES:
        raise ValueError(f"{length} bytes do not fit into one message; cut them into chunks")
    prefix = bytearray([field << 3 | _LENGTH_DELIMITED])
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return b"".join((prefix, body))


def unpack(message: bytes) -> tuple[int, memoryview]:
    """The field's number and its bytes, not copied. Raises CorruptPayload on anything but one such field."""
    view = memoryview(message)
    if len(view) > MAX_MESSAGE_BYTES or len(view) < 2 or view[0] & 0x87 != _LENGTH_DELIMITED:
        raise CorruptPayload(
            "A message of a segment's stream is malformed: update the older of the two nodes."
        )
    length = shift = 0
    position = 1
    while True:
        if position >= len(view) or shift > 28:
            raise CorruptPayload("A message of a segment's stream has no valid length: send it again.")
        byte = view[position]
        length |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            break
    if length != len(view) - position:
        raise CorruptPayload("A message of a segment's stream is cut short: send it again.")
    return view[0] >> 3, view[position:]
