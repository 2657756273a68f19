"""What auto picks, and that whatever it picks arrives."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from eapg_split.codecs.auto import AutoCodec
from eapg_split.codecs.base import (
    DEFAULT_FIDELITY,
    Assembly,
    Codec,
    Fidelity,
    Part,
    Payload,
    latent_of,
    payload_of,
    slice_view,
    slices_of,
)
from eapg_split.codecs.int4 import Int4Codec
from eapg_split.codecs.int8 import Int8Codec
from eapg_split.codecs.lossless import LosslessCodec
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload, EngineFailure, InvalidRequest
from tests.contracts.check_codec import (
    check_codec,
    check_fidelity,
    check_hostile_payloads,
    check_laziness,
    smooth,
)

LATENT = Latent({"xbar": smooth((1, 12, 31, 36, 64))})
LOSSLESS, INT8, INT4, CHAINED = 0, 1, 2, 0x83
ALL: tuple[Codec, ...] = (LosslessCodec(), Int8Codec(), Int4Codec())


class Differences:
    """A slow codec of small parts, each of which needs the one before: what `clean` is to auto."""

    name = "clean"
    lossless = False

    def __init__(self, estimated_bits: float = 1.0) -> None:
        self.estimated_bits = estimated_bits
        self.elements: list[int] = []  # of every slice that was encoded

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        del fidelity
        before = np.float32(0)
        for wanted in slices_of(latent.spec):
            self.elements.append(wanted.size)
            first = slice_view(latent, wanted).ravel()[0]
            yield Part.of(np.float32(first - before).tobytes())
            before = first

    def decoder(self, spec: LatentSpec) -> "DifferencesDecoder":
        return DifferencesDecoder(spec)

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        del fidelity
        return self.estimated_bits * spec.elements


class DifferencesDecoder:
    def __init__(self, spec: LatentSpec) -> None:
        self._assembly, self._value = Assembly(spec), np.float32(0)

    def add(self, part: Part) -> None:
        if len(part.body) != 4:
            raise CorruptPayload("no difference")
        self._value += np.frombuffer(part.body, np.float32)[0]
        self._assembly.add(np.full(self._assembly.wanted().shape, self._value, np.float32))

    def finish(self) -> Latent:
        return self._assembly.finish()


def about(codec: Codec) -> float:
    return codec.estimate_bits(LATENT.spec)


def codes(codec: Codec, latent: Latent = LATENT, fidelity: Fidelity = DEFAULT_FIDELITY) -> list[int]:
    return [part.body[0] for part in codec.encode(latent, fidelity)]


@pytest.mark.parametrize(
    ("link", "step", "expected"),
    [
        (1e6, None, CHAINED),
        (None, None, CHAINED),  # a link that nobody knows is taken for a slow one
        (1e10, None, INT8),
        (1e6, 100.0, CHAINED),
        (5e8, 100.0, INT4),
        (1e10, 100.0, INT8),
        (1e6, 1e-4, CHAINED),
        (1e10, 1e-4, LOSSLESS),
    ],
)
def test_choice_among_all(link: float | None, step: float | None, expected: int) -> None:
    fidelity = DEFAULT_FIDELITY if step is None else Fidelity(steps={"xbar": step})
    assert set(codes(AutoCodec(link, (*ALL, Differences())), fidelity=fidelity)) == {expected}


def test_choice_without_clean() -> None:
    assert set(codes(AutoCodec(1e6, ALL))) == {INT8}, "nobody said that int4's step is fine enough"
    assert set(codes(AutoCodec(1e6, ALL), fidelity=Fidelity(steps={"xbar": 9.0}))) == {INT4}
    assert set(codes(AutoCodec(1e6, ALL), fidelity=Fidelity(steps={"xbar": 1e-6}))) == {LOSSLESS}


def test_steps_hold_for_each_channel() -> None:
    step = float(np.ptp(LATENT["xbar"], axis=(0, 2, 3, 4)).max()) / 255 * 1.2
    assert set(codes(AutoCodec(1e6, ALL), fidelity=Fidelity(steps={"xbar": step}))) == {INT8}
    finer = Fidelity(steps={"xbar": step}, channels={"xbar": (1.0,) * 11 + (1e-3,)})
    assert set(codes(AutoCodec(1e6, ALL), fidelity=finer)) == {LOSSLESS}


def test_a_slice_that_is_too_coarse_is_coded_finer() -> None:
    array = LATENT["xbar"].copy()
    array[:, :, 18] *= 100
    step = float(np.ptp(LATENT["xbar"], axis=(0, 2, 3, 4)).max()) / 255 * 1.2
    latent, fidelity = Latent({"xbar": array}), Fidelity(steps={"xbar": step})
    for candidates, finer in [(ALL, LOSSLESS), ((Int8Codec(), Differences()), CHAINED & 0x7F)]:
        codec = AutoCodec(1e10, candidates)
        payload = payload_of(codec, latent, fidelity)
        heads = [part.body[0] for part in payload.parts]
        assert heads == [finer if each.start <= 18 < each.stop else INT8 for each in slices_of(latent.spec)]
        decoded = latent_of(AutoCodec(None, candidates), payload)["xbar"]
        assert np.abs(decoded[:, :, :12] - array[:, :, :12]).max() <= step / 2 * 1.001


def test_nothing_fine_enough_is_said() -> None:
    with pytest.raises(InvalidRequest, match="finer"):
        list(AutoCodec(1e6, (Int8Codec(), Int4Codec())).encode(LATENT, Fidelity(steps={"xbar": 1e-6})))


def test_a_chain_arrives() -> None:
    codec = AutoCodec(1e6, (*ALL, Differences()))
    payload = payload_of(codec, LATENT)
    assert latent_of(codec, payload) == latent_of(Differences(), payload_of(Differences(), LATENT))
    second = slices_of(LATENT.spec)[1]
    alone = Part.of(Int8Codec().encode_slice(second, slice_view(LATENT, second), bytes([INT8])))
    for parts in [
        (payload.parts[0], alone),
        (alone, payload.parts[0]),
        (Part.of(b"\x83\0"),),
        (Part.of(b"\x07"),),
    ]:
        with pytest.raises(CorruptPayload):
            latent_of(codec, Payload(LATENT.spec, "auto", parts))
    with pytest.raises(CorruptPayload, match="not known"):
        latent_of(AutoCodec(1e6, ALL), payload)


def test_samples_are_taken_only_where_they_can_matter_and_cost_little() -> None:
    for link, samples in [(1e5, 0), (1.3e7, 0), (1e10, 0)]:
        chained = Differences()
        list(AutoCodec(link, (Int8Codec(), chained)).encode(LATENT))
        parts = len(slices_of(LATENT.spec))
        assert sum(size < slices_of(LATENT.spec)[-1].size for size in chained.elements) == samples
        assert len(chained.elements) in (samples, samples + parts)
    dear = Differences(estimated_bits=10.0)
    assert set(codes(AutoCodec(1e6, (Int8Codec(), dear)))) == {CHAINED}, "a sample corrects the estimate"
    assert 0 < dear.elements[0] <= 1 << 13


def ticking(seconds: float) -> Callable[[], float]:
    ticks = itertools.count()
    return lambda: next(ticks) * seconds


def test_speeds_are_measured_once_when_there_is_a_clock() -> None:
    slow, chained = ticking(1.0), Differences()
    AutoCodec(1e6, (Int8Codec(), chained), clock=slow)
    measured = len(chained.elements)
    codec = AutoCodec(1e6, (Int8Codec(), chained), clock=slow)
    assert 0 < measured == len(chained.elements)
    assert set(codes(codec)) == {CHAINED}, "both take a second for each slice, so the bits decide"


def test_estimate_is_that_of_the_choice() -> None:
    expected: list[tuple[float, Codec]] = [(1e10, Int8Codec()), (1e5, Differences())]
    for link, codec in expected:
        auto = AutoCodec(link, (*ALL, Differences()))
        assert about(auto) == pytest.approx(about(codec), rel=1e-3)


@pytest.mark.parametrize("link", [1e5, 1e8, 1e11])
def test_contract_at_every_link(link: float) -> None:
    codec = AutoCodec(link)
    check_codec(codec, Latent({"xbar": smooth((1, 12, 16, 18, 32)), "text": np.ones((1, 4, 8), np.float32)}))
    check_codec(codec, Latent({"xbar": smooth((1, 12, 16, 18, 32))}), Fidelity(steps={"xbar": 1.0}))
    check_laziness(codec)
    check_fidelity(codec)
    check_hostile_payloads(codec)


def test_lossless_among_the_candidates_does_not_let_bad_numbers_through() -> None:
    array = smooth((1, 4, 3, 16, 16))
    array[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(EngineFailure):
        payload_of(AutoCodec(1e6, (LosslessCodec(),)), Latent({"xbar": array}))


def test_what_cannot_be_is_refused() -> None:
    for link in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidRequest):
            AutoCodec(link)
    with pytest.raises(InvalidRequest, match="cannot be chosen"):
        AutoCodec(1e6, (AutoCodec(),))
