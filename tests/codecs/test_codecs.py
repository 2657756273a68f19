import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eapg_split.codecs import CODECS, codec_named
from eapg_split.codecs.base import Codec, Part, Payload, latent_of, payload_of
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload, InvalidRequest
from tests.contracts import check_codec as contract
from tests.contracts.check_codec import smooth

codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
shapes = hnp.array_shapes(min_dims=1, max_dims=6, max_side=5)


def latents(*, finite: bool) -> st.SearchStrategy[Latent]:
    values = st.floats(width=32, allow_nan=not finite, allow_infinity=not finite)
    arrays = shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=values))
    names = st.sampled_from(["text", "source", "xbar"])
    return st.dictionaries(names, arrays, max_size=3).map(Latent)


@codecs
@settings(max_examples=60, deadline=None)
@given(latent=latents(finite=True))
def test_contract(codec: Codec, latent: Latent) -> None:
    contract.check_codec(codec, latent)


@codecs
def test_large_latents_and_zeros(codec: Codec) -> None:
    rng = np.random.default_rng(0)
    contract.check_codec(codec, Latent({"xbar": rng.standard_normal((1, 12, 16, 18, 32)).astype(np.float32)}))
    contract.check_codec(codec, Latent({"xbar": np.zeros((1, 12, 31, 36, 64), np.float32)}))
    contract.check_codec(
        codec, Latent({"xbar": smooth((2, 12, 7, 35, 63)), "source": smooth((2, 5, 7, 3, 9))})
    )


@codecs
def test_laziness(codec: Codec) -> None:
    contract.check_laziness(codec)


@codecs
def test_estimate(codec: Codec) -> None:
    contract.check_estimate(codec)


@codecs
def test_not_finite(codec: Codec) -> None:
    contract.check_not_finite(codec)


@codecs
def test_hostile_payloads(codec: Codec) -> None:
    contract.check_hostile_payloads(codec)


@pytest.mark.parametrize("name", [name for name in CODECS if name in ("lossless", "clean", "auto")])
def test_fidelity(name: str) -> None:
    contract.check_fidelity(CODECS[name])


@codecs
@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=200),
    head=st.sampled_from([0, 1, 2, 3, 15, 128, 129, 131]),
    spec=st.integers(0, 2),
)
def test_bytes_that_nobody_encoded(codec: Codec, body: bytes, head: int, spec: int) -> None:
    shape = [(1, 2, 3), (1, 1, 1, 9, 13), (2, 4, 2, 3, 1)][spec]
    contract.decodes_or_refuses(codec, LatentSpec.of(xbar=shape), [bytes([head]) + body])
    contract.decodes_or_refuses(codec, LatentSpec.of(text=shape, xbar=shape), [body, body])


@given(latents(finite=False))
def test_lossless_keeps_every_bit(latent: Latent) -> None:
    codec = CODECS["lossless"]
    assert latent_of(codec, payload_of(codec, latent)) == latent


def test_lossless_stores_noise_and_shortens_the_rest() -> None:
    codec = CODECS["lossless"]
    noise = np.random.default_rng(0).integers(0, 2**32, (1, 12, 8, 36, 64), np.uint32).view(np.float32)
    sizes = {}
    for name, array in {
        "noise": noise,
        "few": np.round(smooth(noise.shape) * 8),
        "smooth": smooth(noise.shape),
    }.items():
        payload = payload_of(codec, Latent({"xbar": array}))
        assert latent_of(codec, payload) == Latent({"xbar": array})
        sizes[name] = payload.body_bytes / array.nbytes
    assert sizes["noise"] <= 1 + 1e-5
    assert sizes["few"] < 0.2
    assert sizes["smooth"] < 0.85


@given(latents(finite=True))
def test_int8_error_is_at_most_half_a_level(latent: Latent) -> None:
    decoded = latent_of(CODECS["int8"], payload_of(CODECS["int8"], latent))
    for name, array in latent.items():
        wide = array.astype(np.float64)
        bound = 0.0 if name == "text" else (wide.max() - wide.min()) / 510
        assert np.abs(decoded[name] - wide).max() <= bound * (1 + 1e-4) + rounding(wide)


@given(latents(finite=True))
def test_int4_error_is_at_most_half_a_level(latent: Latent) -> None:
    decoded = latent_of(CODECS["int4"], payload_of(CODECS["int4"], latent))
    for name, array in latent.items():
        wide = array.astype(np.float64)
        # a group reaches from a 255th of the channel's range below it to one above
        bound = 0.0 if name == "text" else (wide.max() - wide.min()) / 30 * (1 + 1 / 255)
        assert np.abs(decoded[name] - wide).max() <= bound * (1 + 1e-4) + rounding(wide)


def rounding(values: np.ndarray) -> float:
    """A unit in the last place of the result and of what it is computed from."""
    return float(np.abs(values).max() * 2.0**-22 + 2.0**-148)


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_channels_have_their_own_scales(name: str) -> None:
    array = smooth((1, 3, 4, 16, 16)) * np.array([1e-3, 1, 1e6], np.float32)[:, None, None, None]
    decoded = latent_of(CODECS[name], payload_of(CODECS[name], Latent({"xbar": array})))["xbar"]
    levels = {"int8": 255, "int4": 14}[name]
    for channel in range(3):
        reach = np.ptp(array[:, channel])
        assert np.abs(decoded[:, channel] - array[:, channel]).max() <= reach / levels / 2 * 1.01


def test_extreme_values_stay_numbers() -> None:
    most = float(np.finfo(np.float32).max)
    ranges = [(-most, most), (most * 0.99, most), (0.0, 1e-44), (-most, -most), (1000.0, 1000.001)]
    for low, high in ranges:
        array = np.linspace(low, high, 4096).astype(np.float32).reshape(1, 2, 2, 32, 32)
        for name in ("int8", "int4"):
            decoded = latent_of(CODECS[name], payload_of(CODECS[name], Latent({"xbar": array})))["xbar"]
            error = np.abs(decoded.astype(np.float64) - array).max()
            assert error <= (high - low) / 28 + rounding(array.astype(np.float64))


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_scales_that_are_no_numbers_are_refused(name: str) -> None:
    spec = LatentSpec.of(xbar=(1, 1, 64))
    honest = payload_of(CODECS[name], Latent({"xbar": np.ones((1, 1, 64), np.float32)})).parts[0].body
    for low, step in [(np.nan, 1.0), (0.0, np.inf), (0.0, -1.0), (1e300, 0.0), (0.0, 1e300), (0.0, np.nan)]:
        body = np.array([low, step]).tobytes() + b"\xff" * (len(honest) - 16)
        with pytest.raises(CorruptPayload):
            latent_of(CODECS[name], Payload(spec, name, (Part.of(body),)))


def test_sizes_of_a_smooth_latent() -> None:
    latent = Latent({"xbar": smooth((1, 12, 16, 36, 64))})
    bits = {
        name: 8 * payload_of(codec, latent).body_bytes / latent.spec.elements
        for name, codec in CODECS.items()
    }
    assert bits["int4"] < 4.6
    assert bits["int8"] < 8.1
    assert bits["lossless"] < 27
    assert bits["auto"] <= 8.1


def test_codecs_are_found_by_name() -> None:
    assert [codec_named(name).name for name in CODECS] == list(CODECS)
    with pytest.raises(InvalidRequest, match="lossless, int8"):
        codec_named("zip")
