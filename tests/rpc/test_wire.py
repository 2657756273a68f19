"""The hand-packed messages are the protobuf messages of node.proto, and nothing else is taken for one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.errors import CorruptPayload
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.rpc.wire import (
    CHUNK_BYTES,
    MAX_MESSAGE_BYTES,
    PART_CHUNK_BYTES,
    ReplyField,
    RequestField,
    pack,
    pack_part,
    unpack,
    unpack_all,
    unpack_part,
)

SIZES = st.sampled_from([0, 1, 127, 128, 16383, 16384, 2**20 - 7, CHUNK_BYTES])


@given(SIZES)
def test_a_chunk_is_what_protobuf_writes_and_reads(size: int) -> None:
    body = bytes(index % 251 for index in range(size))
    packed = pack(RequestField.CHUNK, body)
    assert packed == node_pb2.RunRequest(chunk=body).SerializeToString()
    assert node_pb2.RunReply.FromString(pack(ReplyField.CHUNK, memoryview(body))).chunk == body
    field, view = unpack(packed)
    assert (field, bytes(view)) == (RequestField.CHUNK, body)
    assert len(packed) <= MAX_MESSAGE_BYTES


@given(
    st.sampled_from([0, 1, 127, 128, 2**18, PART_CHUNK_BYTES]), st.integers(0, 2**31), st.binary(max_size=16)
)
def test_a_part_is_what_protobuf_writes_and_reads(size: int, index: int, checksum: bytes) -> None:
    body = bytes(size)
    header = common_pb2.PartHeader(index=index, body_bytes=size, checksum=checksum, ready_s=1.5)
    packed = pack_part(RequestField.PART, header.SerializeToString(), body)
    assert len(packed) <= MAX_MESSAGE_BYTES
    (read,) = node_pb2.RunRequest.FromString(packed).part
    assert (read.header, read.chunk) == (header, body)
    for message in (packed, node_pb2.RunRequest(part=[read]).SerializeToString()):
        field, inner = unpack(message)
        raw, chunk = unpack_part(inner)
        assert (field, raw, bytes(chunk)) == (RequestField.PART, header.SerializeToString(), body)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_several_parts_are_what_protobuf_writes_and_reads(bodies: list[bytes]) -> None:
    packed = b"".join(pack_part(ReplyField.PART, b"", body) for body in bodies)
    assert [part.chunk for part in node_pb2.RunReply.FromString(packed).part] == bodies
    fields = list(unpack_all(packed))
    assert [field for field, _ in fields] == [ReplyField.PART] * len(bodies)
    assert [bytes(unpack_part(body)[1]) for _, body in fields] == bodies


def test_one_message_does_not_mix_kinds() -> None:
    mixed = unpack_all(pack_part(ReplyField.PART, b"", b"x") + pack(ReplyField.DONE, b""))
    assert next(mixed)[0] == ReplyField.PART
    with pytest.raises(CorruptPayload, match="mixes"):
        next(mixed)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_part_or_refused(data: bytes) -> None:
    with suppress(CorruptPayload):
        unpack_part(memoryview(data))


@pytest.mark.parametrize(
    ("names", "message"), [(RequestField, node_pb2.RunRequest), (ReplyField, node_pb2.RunReply)]
)
def test_field_numbers_are_those_of_the_proto(names: type[RequestField | ReplyField], message: type) -> None:
    declared = {field.name.upper(): field.number for field in message.DESCRIPTOR.fields}  # type: ignore[attr-defined]
    assert {name.name: int(name) for name in names} == declared


def test_more_than_a_message_holds_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="cut them into chunks"):
        pack(RequestField.CHUNK, bytes(CHUNK_BYTES + 1))


@given(st.binary(max_size=64))
def test_any_bytes_are_one_field_or_refused(message: bytes) -> None:
    try:
        field, body = unpack(message)
    except CorruptPayload:
        return
    assert message[-len(body) :] == bytes(body) or len(body) == 0
    assert 0 <= field < 16


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_message_that_is_cut_is_refused(body: bytes, data: st.DataObject) -> None:
    packed = pack(RequestField.CHUNK, body)
    kept = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(CorruptPayload):
        unpack(packed[:kept])
