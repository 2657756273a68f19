"""Law 3: what was declared arrives whole, or nothing of it is used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.codecs import CODECS, Payload
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CapacityExceeded, CorruptPayload, InvalidRequest
from eapg_split.rpc.frames import Assembly, chunks_of, header_of
from eapg_split.rpc.v1 import common_pb2
from eapg_split.rpc.wire import CHUNK_BYTES


def _payload(body: bytes) -> Payload:
    return Payload.of(LatentSpec.of(text=(2, 3), xbar=(1, 4, 256, 1024)), "lossless", body)


@given(st.integers(0, 3), st.integers(0, 5))
def test_chunks_reassemble(chunks: int, rest: int) -> None:
    payload = _payload(np.arange(chunks * CHUNK_BYTES // 4 + rest, dtype=np.uint32).tobytes())
    assembly = Assembly(header_of(payload))
    for chunk in chunks_of(payload.body):
        assert len(chunk) <= CHUNK_BYTES
        assert not assembly.complete
        assembly.add(chunk)
    assert assembly.finish() == payload


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_latent_survives(codec: str) -> None:
    rng = np.random.default_rng(0)
    latent = Latent({"xbar": rng.standard_normal((1, 12, 5, 8, 8)).astype(np.float32)})
    payload = CODECS[codec].encode(latent)
    assembly = Assembly(common_pb2.PayloadHeader.FromString(header_of(payload).SerializeToString()))
    for chunk in chunks_of(payload.body):
        assembly.add(bytes(chunk))
    assert assembly.finish() == payload


@given(st.binary(min_size=1, max_size=200), st.data())
def test_missing_altered_or_additional_bytes_are_refused(body: bytes, data: st.DataObject) -> None:
    header = header_of(_payload(body))
    cut = data.draw(st.integers(0, len(body) - 1))
    short = Assembly(header)
    if cut:
        short.add(body[:cut])
    with pytest.raises(CorruptPayload, match="ended after"):
        short.finish()
    altered = bytearray(body)
    altered[cut] ^= 1 << data.draw(st.integers(0, 7))
    wrong = Assembly(header)
    wrong.add(bytes(altered))
    with pytest.raises(CorruptPayload, match="checksum"):
        wrong.finish()
    with pytest.raises(CorruptPayload, match="declared"):
        Assembly(header).add(body + b"x")
    with pytest.raises(CorruptPayload):
        Assembly(header).add(b"")


def test_what_declares_too_much_is_refused_before_a_byte_of_it_comes() -> None:
    header = header_of(_payload(b"abc"))
    header.body_bytes = 2**40
    with pytest.raises(CapacityExceeded):
        Assembly(header)
    header.body_bytes = 200
    with pytest.raises(CapacityExceeded):
        Assembly(header, limit_bytes=100)


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
    with pytest.raises(InvalidRequest):
        Assembly(common_pb2.PayloadHeader(tensors=[tensor], codec="lossless", body_bytes=4))
