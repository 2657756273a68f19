"""What `clean` promises beyond the conformance kit: errors that follow the step, and few bits for smooth clips."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.codecs.base import Fidelity, latent_of, payload_of, slices_of
from eapg_split.codecs.blocks import Layout, from_coefficients, to_coefficients
from eapg_split.codecs.clean import CleanCodec
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import EngineFailure

Floats = NDArray[np.float32]
SHAPES = {
    "light, one frame a latent": (1, 48, 6, 9, 16),
    "light, four frames a latent": (1, 192, 4, 6, 10),
    "autoencoder": (1, 12, 7, 18, 30),
    "one cell": (1, 3, 1, 1, 1),
}


def moving(shape: tuple[int, ...], *, seed: int = 0) -> Floats:
    """A smooth pattern that drifts, brighter in the first channels."""
    _, channels, frames, height, width = shape
    rng = np.random.default_rng(seed)
    c, t, y, x = np.meshgrid(*(np.arange(n) for n in (channels, frames, height, width)), indexing="ij")
    phase = rng.uniform(0, 6, channels)[:, None, None, None]
    wave = np.sin(x / 5 + t / 9 + phase) * np.cos(y / 7 + phase) / (1 + c / 4)
    return wave[None].astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_transform_is_orthonormal_and_undone(shape: tuple[int, ...]) -> None:
    (wanted,) = slices_of(LatentSpec.of(xbar=shape))
    layout = Layout.of(wanted)
    assert layout is not None
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    coefficients = to_coefficients(values, layout)
    assert coefficients.shape == layout.shape
    np.testing.assert_allclose(from_coefficients(coefficients, layout, shape), values, atol=2e-6)
    if not (shape[3] % 4 or shape[4] % 4) or shape[1] in (48, 192):
        assert np.square(coefficients).sum() == pytest.approx(np.square(values).sum(), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("step", [4e-3, 0.05, 0.6])
def test_the_error_follows_the_step(shape: tuple[int, ...], step: float) -> None:
    latent = Latent({"xbar": moving(shape)})
    decoded = latent_of(CleanCodec(), payload_of(CleanCodec(), latent, Fidelity({"xbar": step})))
    error = decoded["xbar"] - latent["xbar"]
    # a block's 16 coefficients are each wrong by at most .6 of a step
    assert np.abs(error).max() <= 0.6 * step * 4
    assert np.sqrt(np.mean(np.square(error))) <= 0.36 * step


def test_a_channel_that_matters_less_may_be_coarser() -> None:
    latent = Latent({"xbar": moving((1, 12, 8, 20, 24))})
    shares = (0.5,) * 6 + (2.0,) * 6
    even = payload_of(CleanCodec(), latent, Fidelity({"xbar": 0.02}))
    uneven = payload_of(CleanCodec(), latent, Fidelity({"xbar": 0.02}, {"xbar": shares}))
    rms: Callable[[Floats], Floats] = lambda e: np.sqrt(np.square(e).mean(axis=(0, 2, 3, 4)))  # noqa: E731
    before, after = (rms(latent_of(CleanCodec(), p)["xbar"] - latent["xbar"]) for p in (even, uneven))
    assert (after[:6] < before[:6]).all()
    assert (after[6:] > before[6:]).all()


def test_a_coarser_step_costs_fewer_bits_and_smooth_clips_cost_few() -> None:
    shape = (1, 12, 16, 32, 48)
    latent = Latent({"xbar": moving(shape)})
    sizes = [
        payload_of(CleanCodec(), latent, Fidelity({"xbar": s})).body_bytes for s in (0.01, 0.03, 0.1, 0.3)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] * 8 < 1.0 * latent.spec.elements


def test_what_stands_still_costs_next_to_nothing_after_its_first_frame() -> None:
    first = np.random.default_rng(3).normal(size=(1, 12, 1, 20, 32)).astype(np.float32)
    step = Fidelity({"xbar": 0.05})
    once = payload_of(CleanCodec(), Latent({"xbar": first}), step).body_bytes
    often = payload_of(CleanCodec(), Latent({"xbar": np.repeat(first, 9, axis=2)}), step).body_bytes
    assert often < 1.1 * once


def test_values_that_are_huge_for_their_step_raise_the_step_instead_of_being_cut_off() -> None:
    latent = Latent({"xbar": moving((1, 12, 3, 8, 8)) * np.float32(1e6)})
    decoded = latent_of(CleanCodec(), payload_of(CleanCodec(), latent, Fidelity({"xbar": 1e-3})))
    assert np.abs(decoded["xbar"] - latent["xbar"]).max() < 1e6 * 0.05


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_sent(value: float) -> None:
    array = moving((1, 12, 3, 8, 8)).copy()
    array[0, 3, 1, 2, 2] = value
    with pytest.raises(EngineFailure):
        payload_of(CleanCodec(), Latent({"xbar": array}))


def test_the_decoder_gets_the_same_bits_whatever_it_decoded_before() -> None:
    latent = Latent({"source": moving((1, 48, 3, 9, 16), seed=1), "xbar": moving((1, 192, 4, 18, 32))})
    payload = payload_of(CleanCodec(), latent)
    assert latent_of(CleanCodec(), payload) == latent_of(CleanCodec(), payload)
