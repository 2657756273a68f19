"""Law 3, part by part: what was declared arrives whole, or nothing of it is used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.codecs.base import Part
from eapg_split.errors import CapacityExceeded, CorruptPayload, InvalidRequest
from eapg_split.rpc.convert_handoff import declaration_from_proto
from eapg_split.rpc.frames import TOGETHER_BYTES, Arrived, PartReader, part_messages
from eapg_split.rpc.v1 import common_pb2
from eapg_split.rpc.wire import (
    CHUNK_BYTES,
    MAX_MESSAGE_BYTES,
    PART_CHUNK_BYTES,
    RequestField,
    pack_part,
    unpack,
    unpack_all,
)
from eapg_split.runtime.handoff import Ready

XBAR = common_pb2.Tensor(name="xbar", shape=[1, 2], dtype="float32")


def _anything(index: int, body_bytes: int) -> None:
    del index, body_bytes


def _read(reader: PartReader, message: bytes) -> Arrived | None:
    field, body = unpack(message)
    return reader.take_part(body) if field == RequestField.PART else reader.take_chunk(body)


@pytest.mark.parametrize(
    "size", [0, 1, PART_CHUNK_BYTES, PART_CHUNK_BYTES + 1, PART_CHUNK_BYTES + 2 * CHUNK_BYTES + 5]
)
def test_a_part_of_any_size_is_put_together_again(size: int) -> None:
    part = Part.of(bytes(range(256)) * (size // 256) + bytes(size % 256))
    reader = PartReader(_anything)
    messages = list(part_messages(RequestField.PART, 7, [Ready(part, 1.5)]))
    assert all(len(message) <= MAX_MESSAGE_BYTES for message in messages)
    *before, last = [_read(reader, message) for message in messages]
    assert before == [None] * (len(messages) - 1)
    assert last == Arrived(part, 7, 1.5)
    assert not reader.inside


def test_parts_that_are_ready_together_share_messages() -> None:
    sizes = [TOGETHER_BYTES // 2 - 1000] * 3 + [0, 10, PART_CHUNK_BYTES + 10, 20, TOGETHER_BYTES, 30]
    parts = [Part.of(bytes([index]) * size) for index, size in enumerate(sizes)]
    messages = list(part_messages(RequestField.PART, 4, [Ready(part, 2.0) for part in parts]))
    assert len(messages) == 7  # two, three, a large one in two, one, one, one
    assert all(len(message) <= MAX_MESSAGE_BYTES for message in messages)
    reader = PartReader(_anything)
    came = [each for message in messages for each in _read_all(reader, message)]
    assert came == [Arrived(part, index, 2.0) for index, part in enumerate(parts, 4)]


def _read_all(reader: PartReader, message: bytes) -> list[Arrived]:
    taken = [
        reader.take_part(body) if field == RequestField.PART else reader.take_chunk(body)
        for field, body in unpack_all(message)
    ]
    return [each for each in taken if each is not None]


def _part_message(header: common_pb2.PartHeader, chunk: bytes) -> memoryview:
    return unpack(pack_part(RequestField.PART, header.SerializeToString(), chunk))[1]


@given(st.binary(min_size=1, max_size=50), st.integers(0, 49))
def test_more_or_emptier_chunks_than_declared_are_refused(body: bytes, place: int) -> None:
    header = common_pb2.PartHeader(body_bytes=len(body), checksum=bytes(16))
    with pytest.raises(CorruptPayload, match="More bytes"):
        PartReader(_anything).take_part(_part_message(header, body + b"x"))
    begun = PartReader(_anything)
    header.body_bytes += 1 + place
    assert begun.take_part(_part_message(header, body)) is None
    with pytest.raises(CorruptPayload):
        begun.take_chunk(memoryview(b""))
    with pytest.raises(CorruptPayload, match="before the one ahead"):
        begun.take_part(_part_message(header, body))
    with pytest.raises(CorruptPayload, match="belong to no part"):
        PartReader(_anything).take_chunk(memoryview(body))


def test_a_part_is_judged_before_its_bytes() -> None:
    seen: list[tuple[int, int]] = []

    def refuse(index: int, body_bytes: int) -> None:
        seen.append((index, body_bytes))
        raise CapacityExceeded("Too much.")

    header = common_pb2.PartHeader(index=3, body_bytes=2**40, checksum=bytes(16))
    with pytest.raises(CapacityExceeded):
        PartReader(refuse).take_part(_part_message(header, b"abc"))
    assert seen == [(3, 2**40)]


@pytest.mark.parametrize("body", [b"", b"\x0a\x02\xff\xff", b"\x0a\x00", b"\x12\x01a", b"\x0a\x00\x12\x05a"])
def test_a_part_without_a_usable_header_is_refused(body: bytes) -> None:
    with pytest.raises(CorruptPayload):
        PartReader(_anything).take_part(memoryview(body))


@pytest.mark.parametrize(
    "tensor",
    [
        common_pb2.Tensor(name="xbar", shape=[0], dtype="float32"),
        common_pb2.Tensor(name="xbar", shape=[65536] * 3, dtype="float32"),
        common_pb2.Tensor(name="xbar", shape=[], dtype="float32"),
        common_pb2.Tensor(name="x" * 100, shape=[1], dtype="float32"),
        common_pb2.Tensor(name="xbar", shape=[1], dtype="object"),
    ],
)
def test_a_spec_beyond_the_bounds_is_refused(tensor: common_pb2.Tensor) -> None:
    state = [common_pb2.StateTensor(tensor=tensor, codec="lossless")]
    with pytest.raises(InvalidRequest):
        declaration_from_proto(common_pb2.Handoff(id="a1", tensors=state))


@pytest.mark.parametrize(
    "message",
    [
        common_pb2.Handoff(id="", tensors=[]),
        common_pb2.Handoff(id="a/b", tensors=[]),
        common_pb2.Handoff(id="a" * 65, tensors=[]),
        common_pb2.Handoff(id="a", tensors=[common_pb2.StateTensor(tensor=XBAR)]),
        common_pb2.Handoff(id="a", tensors=[common_pb2.StateTensor(tensor=XBAR, digest=b"short")]),
        common_pb2.Handoff(id="a", tensors=[common_pb2.StateTensor(tensor=XBAR, codec="int8", input="xbar")]),
        common_pb2.Handoff(id="a", tensors=[common_pb2.StateTensor(tensor=XBAR, codec="int8")] * 2),
        common_pb2.Handoff(id="a", tensors=[common_pb2.StateTensor(tensor=XBAR, codec="int8")] * 5),
    ],
)
def test_a_declaration_says_of_each_tensor_once_how_it_comes(message: common_pb2.Handoff) -> None:
    with pytest.raises(InvalidRequest):
        declaration_from_proto(message)
