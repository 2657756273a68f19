import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eapg_split.domain.workload import Geometry
from eapg_split.eapg.spaces import SPACES, decode, encode, pack, unpack
from tests.toy_networks import ToyNetworks

NETWORKS = ToyNetworks()


def clip(geometry: Geometry) -> NDArray[np.float32]:
    shape = (geometry.frames, geometry.height, geometry.width, 3)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def test_channels_are_ordered_colour_time_row_column() -> None:
    block = clip(Geometry(1, 12, 8, 4))
    latent = pack(block, 4)
    assert latent.shape == (192, 2, 3)
    for c, dt, dy, dx in [(0, 0, 0, 0), (1, 2, 3, 0), (2, 3, 1, 2)]:
        channel = c * 4 * 4 * 4 + dt * 16 + dy * 4 + dx
        np.testing.assert_array_equal(latent[channel], block[dt, dy::4, dx::4, c])


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_unpack_undoes_pack(frames: int, rows: int, columns: int) -> None:
    block = clip(Geometry(1, 4 * columns, 4 * rows, frames))
    np.testing.assert_array_equal(unpack(pack(block, 4), 4), block)


@pytest.mark.parametrize("number", [1, 2])
@given(frames=st.integers(1, 14))
def test_light_latents_lose_nothing(number: int, frames: int) -> None:
    space, geometry = SPACES[number - 1], Geometry(6, 8, 8, frames)
    original = clip(geometry)
    latent = encode(space, iter(original), geometry, NETWORKS)
    assert latent.shape == (1, *space.shape(geometry))
    decoded = np.stack(list(decode(space, latent, frames, NETWORKS)))
    np.testing.assert_array_equal(decoded, original)


def test_light_blocks_are_filled_by_the_last_frame() -> None:
    space, geometry = SPACES[1], Geometry(6, 8, 8, 5)
    original = clip(geometry)
    latent = encode(space, iter(original), geometry, NETWORKS)
    np.testing.assert_array_equal(unpack(latent[0, :, 1], 4), np.stack([original[4]] * 4))


class Recorder(ToyNetworks):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[NDArray[np.float32]] = []
        self.pairs: list[tuple[float, float]] = []

    def encode_block(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        self.blocks.append(frames)
        return super().encode_block(frames)

    def decode_block(self, latent: NDArray[np.float32], previous: NDArray[np.float32]) -> NDArray[np.float32]:
        self.pairs.append((float(latent[0, 0, 0]), float(previous[0, 0, 0])))
        return super().decode_block(latent, previous)


RECORDER = Recorder()


@given(st.integers(1, 14))
def test_causal_blocks(frames: int) -> None:
    """The first frame four times over, then four a latent, the last one filled up."""
    RECORDER.blocks.clear()
    geometry, networks = Geometry(12, 8, 8, frames), RECORDER
    original = clip(geometry)
    latent = encode(SPACES[2], iter(original), geometry, networks)
    padded = [*original, *[original[-1]] * 4]
    expected = [np.stack([original[0]] * 4)]
    expected += [np.stack(padded[start : start + 4]) for start in range(1, frames, 4)]
    assert len(networks.blocks) == len(expected) == latent.shape[2] == SPACES[2].length(frames)
    for block, wanted in zip(networks.blocks, expected, strict=True):
        np.testing.assert_array_equal(block, wanted)


@given(st.integers(1, 14))
def test_causal_decoding_sees_the_latent_before(frames: int) -> None:
    RECORDER.pairs.clear()
    length, networks = SPACES[2].length(frames), RECORDER
    latent = np.arange(length, dtype=np.float32)[None, None, :, None, None] * np.ones(
        (1, 12, 1, 1, 1), np.float32
    )
    decoded = list(decode(SPACES[2], latent, frames, networks))
    assert len(decoded) == frames
    assert networks.pairs == [(i, max(i - 1, 0)) for i in range(length)]
    assert all(frame.min() >= -1 and frame.max() <= 1 for frame in decoded)
