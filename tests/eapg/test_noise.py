import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.eapg.noise import latent_noise, philox

SHAPE = (12, 7, 18, 20)
KEPT = [
    -1.34570694,
    0.79839927,
    -0.172050834,
    -0.717422307,
    -0.469482362,
    -0.375255018,
    -1.22755873,
    -0.630957961,
]


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # the known answers of Random123, kat_vectors
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    assert philox(np.array(counter, np.uint64)[:, None], key)[:, 0].tolist() == list(words)


def test_noise_is_standard_normal_and_independent() -> None:
    noise = latent_noise(7, 4, shape=(12, 31, 36, 64)).astype(np.float64)
    n = noise.size
    assert abs(noise.mean()) < 4 / n**0.5
    assert abs(noise.var() - 1) < 4 * (2 / n) ** 0.5
    assert abs((noise**3).mean()) < 4 * (15 / n) ** 0.5
    assert abs((noise**4).mean() - 3) < 4 * (96 / n) ** 0.5
    for axis in range(4):
        for lag in (1, 2, 3, 4):
            a = np.take(noise, range(noise.shape[axis] - lag), axis=axis)
            b = np.take(noise, range(lag, noise.shape[axis]), axis=axis)
            assert abs((a * b).mean()) < 4.5 / a.size**0.5


@st.composite
def spans(draw: st.DrawFn, length: int) -> tuple[int, int]:
    start = draw(st.integers(0, length - 1))
    return start, draw(st.integers(start + 1, length))


@given(st.integers(0, 2**63 - 1), spans(7), spans(18), spans(20))
def test_a_box_of_the_noise_is_a_slice_of_the_whole(
    seed: int, t: tuple[int, int], h: tuple[int, int], w: tuple[int, int]
) -> None:
    whole = latent_noise(seed, 3, shape=SHAPE)
    box = latent_noise(seed, 3, shape=SHAPE, box=(t, h, w))
    np.testing.assert_array_equal(box, whole[:, slice(*t), slice(*h), slice(*w)])


def test_channels_need_not_be_a_multiple_of_four() -> None:
    np.testing.assert_array_equal(
        latent_noise(1, 1, shape=(5, 2, 3, 4)), latent_noise(1, 1, shape=(8, 2, 3, 4))[:5]
    )


def test_seeds_and_stages_differ() -> None:
    seeds = (0, 1, 2**32, 2**63 - 1)
    fields = [latent_noise(seed, stage, shape=SHAPE).ravel() for seed in seeds for stage in (1, 2, 3, 4)]
    correlation = np.corrcoef(fields) - np.eye(len(fields))
    assert np.abs(correlation).max() < 5 / fields[0].size ** 0.5


def test_noise_never_changes() -> None:
    """Old seeds must go on giving the videos that they gave."""
    noise = latent_noise(42, 2, shape=(4, 1, 1, 2))
    np.testing.assert_allclose(noise.ravel(), KEPT, rtol=1e-6)
