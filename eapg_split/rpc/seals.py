"""Checksums of messages that say what is to be computed, or what was: a flipped bit there would draw another video.

Against accidents, not against an adversary. The parts of a state have theirs in their headers.
"""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from eapg_split.codecs.base import checksum_of
from eapg_split.errors import CorruptPayload

M = TypeVar("M", bound=Message)


def seal(message: Message) -> bytes:
    """The message with its checksum, serialised; the field `checksum` is the one that is written."""
    message.checksum = _checksum(message)  # type: ignore[attr-defined]
    return message.SerializeToString(deterministic=True)


def unseal(kind: type[M], data: bytes | memoryview) -> M:
    """The message. Raises CorruptPayload for what is none, or is not what was sent."""
    try:
        message = kind.FromString(bytes(data))
    except DecodeError as error:
        raise CorruptPayload("A message of a segment's stream makes no sense: send it again.") from error
    if message.checksum != _checksum(message):  # type: ignore[attr-defined]
        raise CorruptPayload("A message of a segment's stream does not match its checksum: send it again.")
    return message


def _checksum(message: Message) -> bytes:
    """Over the message without its checksum."""
    bare = type(message)()
    bare.CopyFrom(message)
    bare.ClearField("checksum")
    return bytes.fromhex(checksum_of(bare.SerializeToString(deterministic=True)))
