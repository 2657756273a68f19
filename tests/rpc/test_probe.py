"""Parts go to a node and come back as they were, within bounds."""

import os
from collections.abc import AsyncIterator

import pytest

from eapg_split.codecs.base import Part
from eapg_split.domain.topology import Tier
from eapg_split.errors import CapacityExceeded, CorruptPayload, EapgError
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.probe import MAX_PROBE_BYTES, MAX_PROBE_PARTS
from tests.nodes import grpc_peer, toy_worker


@pytest.fixture
async def peer() -> AsyncIterator[GrpcPeer]:
    worker = toy_worker("edge", Tier.EDGE)
    async with grpc_peer(worker) as peer:
        yield peer
    worker.thread.close()


@pytest.mark.parametrize("sizes", [[], [0], [1], [10, 0, 10], [2**19] * 4, [3 * 2**20]])
async def test_parts_come_back_as_they_were(peer: GrpcPeer, sizes: list[int]) -> None:
    parts = tuple(Part.of(os.urandom(size)) for size in sizes)
    probed = await peer.probe(parts)
    assert probed.parts == parts
    assert probed.seconds > 0
    for sample in (*probed.outbound, *probed.back):
        assert 0 < sample.size_bytes <= sum(sizes[1:])


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([Part.of(b"")] * (MAX_PROBE_PARTS + 1), CapacityExceeded),
        ([Part.of(bytes(MAX_PROBE_BYTES // 2 + 1))] * 2, CapacityExceeded),
        ([Part(b"altered", Part.of(b"as it was").checksum)], CorruptPayload),
    ],
    ids=["too many", "too large", "altered"],
)
async def test_what_is_too_much_or_altered_is_refused(
    peer: GrpcPeer, parts: list[Part], error: type[EapgError]
) -> None:
    with pytest.raises(error):
        await peer.probe(parts)
    assert (await peer.probe([Part.of(b"still there")])).parts
