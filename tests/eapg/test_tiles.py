import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.eapg import tiles
from tests.toy_networks import ToyNetworks

Floats = NDArray[np.float32]


def blurred(array: Floats, radius: int) -> Floats:
    """A mean over neighbours along the last two axes, zeros beyond the borders: sees `radius` cells far."""
    padded = np.pad(array, ((0, 0), (radius, radius), (radius, radius)))
    span, (_, height, width) = range(2 * radius + 1), array.shape
    total: Floats = np.sum([padded[:, y : y + height, x : x + width] for y in span for x in span], axis=0)
    return total / np.float32(len(span) ** 2)


class Wide(ToyNetworks):
    """An autoencoder that sees as far as the halo allows."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, int]] = []

    def encode_block(self, frames: Floats) -> Floats:
        latent = super().encode_block(frames)
        self.sizes.append(latent.shape[1:])
        return blurred(latent, tiles.ENCODE_HALO)

    def decode_block(self, latent: Floats, previous: Floats) -> Floats:
        self.sizes.append(latent.shape[1:])
        return super().decode_block(blurred(latent, tiles.DECODE_HALO), previous)


@pytest.mark.parametrize("shape", [(40, 60), (33, 16), (16, 70), (16, 24)])
def test_tiles_do_not_show(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", (16, 24))
    networks = Wide()
    rng = np.random.default_rng(0)
    frames = rng.uniform(-1, 1, (4, shape[0] * 8, shape[1] * 8, 3)).astype(np.float32)
    latent = tiles.encode_block(networks, frames)
    decoded = tiles.decode_block(networks, latent, latent[:, ::-1])
    largest = max(height * width for height, width in networks.sizes)
    assert largest <= (16 + 24) * (24 + 24)
    np.testing.assert_allclose(latent, networks.encode_block(frames), atol=1e-5)
    np.testing.assert_allclose(decoded, networks.decode_block(latent, latent[:, ::-1]), atol=1e-5)


def test_usual_frames_are_one_tile() -> None:
    networks = Wide()
    tiles.encode_block(networks, np.zeros((4, 288, 512, 3), np.float32))
    assert networks.sizes == [(36, 64)]
