"""Parts are coded when they are wanted, once, and what arrives is checked part by part."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import numpy as np
import pytest

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import (
    DEFAULT_FIDELITY,
    Decoder,
    Fidelity,
    Floats,
    Part,
    Slice,
    SliceDecoder,
    slices_of,
)
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CapacityExceeded, CorruptPayload, EngineFailure, Unsupported
from eapg_split.runtime.handoff import WINDOW_PARTS, Coded, Encoding, Outgoing
from eapg_split.runtime.reception import Reception

FRAMES = 12  # each fills a part
SHAPE = (1, 2, FRAMES, 256, 256)


class Plain:
    """Raw numbers, one frame a part; counts what it did."""

    name = "plain"
    lossless = True

    def __init__(self, *, parts: int = FRAMES) -> None:
        self.encoded = 0
        self.threads: set[str] = set()
        self._parts = parts

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        del fidelity
        for wanted in slices_of(latent.spec)[: self._parts]:
            self.encoded += 1
            self.threads.add(threading.current_thread().name)
            yield Part.of(latent[wanted.tensor.name][:, :, wanted.start : wanted.stop].tobytes())

    def decoder(self, spec: LatentSpec) -> Decoder:
        return SliceDecoder(spec, self._decode)

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        del fidelity
        return 32.0 * spec.elements

    def _decode(self, wanted: Slice, body: bytes) -> Floats:
        self.threads.add(threading.current_thread().name)
        if len(body) != 4 * wanted.size:
            raise CorruptPayload("A part has another size than its slice.")
        return np.frombuffer(body, np.float32).reshape(wanted.shape)


def _outgoing(codec: Plain, array: Floats) -> Outgoing:
    latent = Latent({"xbar": array})
    encoding = Encoding.of(codec, "xbar", latent["xbar"], DEFAULT_FIDELITY)
    return Outgoing([Coded(latent.spec.tensors[0], codec.name)], [encoding])


@pytest.fixture
def array() -> Floats:
    return np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


async def test_what_is_sent_arrives_and_is_coded_off_the_loop(array: Floats) -> None:
    codec = Plain()
    state = _outgoing(codec, array)
    reception = Reception(state.declaration, {"plain": codec}, keep=True)
    async for ready in state.parts():
        await reception.add(ready.part)
    received = await reception.finish()
    assert np.array_equal(received.arrays["xbar"], array)
    assert received.encodings["xbar"].payload.parts == tuple([ready.part async for ready in state.parts()])
    assert codec.encoded == FRAMES
    assert threading.current_thread().name not in codec.threads
    assert reception.seconds > 0
    assert state.encode_s > 0


async def test_coding_keeps_a_window_ahead_of_sending_and_no_more(array: Floats) -> None:
    codec = Plain()
    state = _outgoing(codec, array)
    async with aclosing(state.parts()) as parts:
        taken = 0
        async for _ in parts:
            taken += 1
            await asyncio.sleep(0.05)
            assert codec.encoded <= taken + WINDOW_PARTS + 1
            if taken == 3:
                break
        assert codec.encoded < FRAMES
    assert state.held_bytes < state.body_bytes + array.nbytes + 1
    assert len([ready async for ready in state.parts(taken)]) == FRAMES - taken
    assert codec.encoded == FRAMES
    assert state.held_bytes == state.body_bytes


async def test_parts_that_are_ready_together_go_together(array: Floats) -> None:
    state = _outgoing(Plain(), array)
    async with aclosing(state.batches()) as batches:
        assert len(await anext(batches)) == 1, "the first part waits for no other"
        await asyncio.sleep(0.2)
        assert len(await anext(batches)) == WINDOW_PARTS
    again = [len(batch) async for batch in state.batches()]
    assert again[:2] == [1, WINDOW_PARTS]
    assert sum(again) == FRAMES


async def test_what_was_ready_before_is_ready_since_it_is_wanted(array: Floats) -> None:
    state = _outgoing(Plain(), array)
    first = [ready.since_s async for ready in state.parts()]
    assert first == sorted(first)
    again = {ready.since_s async for ready in state.parts()}
    assert len(again) == 1
    assert min(again) >= first[-1]


async def test_a_codec_that_gives_too_few_parts_is_named(array: Floats) -> None:
    with pytest.raises(EngineFailure, match="plain"):
        async for _ in _outgoing(Plain(parts=5), array).parts():
            pass


async def test_values_that_are_not_numbers_are_not_sent() -> None:
    state = Latent({"xbar": np.full((1, 4, 1, 8, 8), np.nan, np.float32)})
    encoding = Encoding.of(CODECS["int8"], "xbar", state["xbar"], DEFAULT_FIDELITY)
    with pytest.raises(EngineFailure, match="not finite"):
        await encoding.part(0)


async def test_parts_out_of_order_or_wrong_are_refused(array: Floats) -> None:
    codec = Plain()
    state = _outgoing(codec, array)
    parts = [ready.part async for ready in state.parts()]
    reception = Reception(state.declaration, {"plain": codec})
    with pytest.raises(CorruptPayload, match="part 0 of 12 was due"):
        reception.check(1, 10)
    with pytest.raises(CapacityExceeded):
        reception.check(0, 2**40)
    with pytest.raises(CapacityExceeded, match="payload_bytes"):
        Reception(state.declaration, {"plain": codec}, limit_bytes=1000).check(0, 1001)
    await reception.add(parts[0])
    with pytest.raises(CorruptPayload, match="ended after 1 of 12"):
        await reception.finish()
    await reception.add(Part(parts[1].body, parts[0].checksum))
    with pytest.raises(CorruptPayload, match="checksum"):
        await reception.add(parts[2])
    with pytest.raises(CorruptPayload, match="checksum"):
        await reception.finish()
    assert reception.broken
    whole = Reception(state.declaration, {"plain": codec})
    for part in parts:
        await whole.add(part)
    with pytest.raises(CorruptPayload):
        await whole.add(parts[0])


async def test_a_codec_that_is_not_here_is_said() -> None:
    state = _outgoing(Plain(), np.zeros(SHAPE, np.float32))
    with pytest.raises(Unsupported, match="plain"):
        Reception(state.declaration, CODECS)
