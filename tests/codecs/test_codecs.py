import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eapg_split.codecs import CODECS, codec_named
from eapg_split.codecs.base import Codec, Payload
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload, EngineFailure, InvalidRequest
from tests.contracts.check_codec import check_codec, check_hostile_payloads

codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
shapes = hnp.array_shapes(min_dims=1, max_dims=6, max_side=5)


def latents(*, finite: bool) -> st.SearchStrategy[Latent]:
    values = st.floats(width=32, allow_nan=not finite, allow_infinity=not finite)
    arrays = shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=values))
    names = st.sampled_from(["text", "source", "xbar"])
    return st.dictionaries(names, arrays, max_size=3).map(Latent)


@codecs
@settings(max_examples=60)
@given(latent=latents(finite=True))
def test_contract(codec: Codec, latent: Latent) -> None:
    check_codec(codec, latent)


@codecs
def test_hostile_payloads(codec: Codec) -> None:
    check_hostile_payloads(codec)


@codecs
def test_large_latents_and_zeros(codec: Codec) -> None:
    rng = np.random.default_rng(0)
    check_codec(codec, Latent({"xbar": rng.standard_normal((1, 12, 16, 18, 32)).astype(np.float32)}))
    check_codec(codec, Latent({"xbar": np.zeros((1, 12, 31, 72, 128), np.float32)}))


@given(latents(finite=False))
def test_lossless_keeps_every_bit(latent: Latent) -> None:
    codec = CODECS["lossless"]
    assert codec.decode(codec.encode(latent)) == latent


@given(latents(finite=True))
def test_int8_error_is_at_most_half_a_level_and_the_text_is_exact(latent: Latent) -> None:
    decoded = CODECS["int8"].decode(CODECS["int8"].encode(latent))
    for name, array in latent.items():
        if name == "text":
            np.testing.assert_array_equal(decoded[name].view(np.uint32), array.view(np.uint32))
            continue
        rows = array if array.ndim > 1 else array[None]
        result = decoded[name].reshape(rows.shape)
        for channel in range(rows.shape[1]):
            wide = rows[:, channel].astype(np.float64)
            bound = (wide.max() - wide.min()) / 510
            # and half a unit in the last place, for the result is float32 again
            rounding = np.abs(wide).max() * 2.0**-23 + 2.0**-149
            assert np.abs(result[:, channel] - wide).max() <= bound * (1 + 1e-9) + rounding


def test_int8_saves_most_of_a_smooth_latent() -> None:
    t, h, w = np.meshgrid(np.arange(16), np.arange(18), np.arange(32), indexing="ij")
    smooth = np.stack([np.sin((t + 2 * h + w + c) / 9) for c in range(12)])[None].astype(np.float32)
    latent = Latent({"xbar": smooth})
    sizes = {name: len(codec.encode(latent).body) for name, codec in CODECS.items()}
    assert sizes["int8"] < latent.spec.raw_bytes / 4
    assert sizes["int8"] < sizes["lossless"] <= latent.spec.raw_bytes * 1.01


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_int8_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(EngineFailure):
        CODECS["int8"].encode(Latent({"xbar": np.full((1, 2, 3), value, np.float32)}))


def test_int8_refuses_scales_that_are_not_numbers() -> None:
    from eapg_split.codecs.compression import compress

    for low, scale in [(np.nan, 1.0), (0.0, np.inf), (0.0, -1.0), (1e300, 0.0), (0.0, 1e300)]:
        raw = np.array([low, scale], np.float64).tobytes() + bytes(6)
        payload = Payload.of(LatentSpec.of(xbar=(1, 1, 6)), "int8", compress(raw))
        with pytest.raises(CorruptPayload):
            CODECS["int8"].decode(payload)


def test_codecs_are_found_by_name() -> None:
    assert [codec_named(name).name for name in CODECS] == list(CODECS)
    with pytest.raises(InvalidRequest, match="lossless, int8"):
        codec_named("zip")
