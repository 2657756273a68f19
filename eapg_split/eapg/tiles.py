"""The autoencoder on large frames: tile by tile, each with a halo as wide as the networks can see.

A tile's core depends on nothing beyond its halo, so tiles do not show; memory is that of one tile.
"""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.eapg.networks import Networks

Floats = NDArray[np.float32]

CELL: Final = 8
TILE: Final = (96, 160)  # rows and columns of latent cells: frames up to 1280x768 are one tile
ENCODE_HALO: Final = 4
DECODE_HALO: Final = 12


def encode_block(networks: Networks, frames: Floats) -> Floats:
    """(4, H, W, 3) to (12, H/8, W/8)."""
    height, width = frames.shape[1] // CELL, frames.shape[2] // CELL
    if height <= TILE[0] and width <= TILE[1]:
        return networks.encode_block(frames)
    out: Floats | None = None
    for seen, core, inner in _tiles(height, width, ENCODE_HALO):
        window = np.ascontiguousarray(frames[:, *_pixels(seen)])
        latent = networks.encode_block(window)
        if out is None:
            out = np.empty((len(latent), height, width), np.float32)
        out[:, *core] = latent[:, *inner]
    assert out is not None
    return out


def decode_block(networks: Networks, latent: Floats, previous: Floats) -> Floats:
    """(12, h, w) and the latent before it to (4, 8h, 8w, 3)."""
    _, height, width = latent.shape
    if height <= TILE[0] and width <= TILE[1]:
        return networks.decode_block(latent, previous)
    out = np.empty((4, height * CELL, width * CELL, 3), np.float32)
    for seen, core, inner in _tiles(height, width, DECODE_HALO):
        window, before = (np.ascontiguousarray(array[:, *seen]) for array in (latent, previous))
        frames = networks.decode_block(window, before)
        out[:, *_pixels(core)] = frames[:, *_pixels(inner)]
    return out


Place = tuple[slice, slice]


def _tiles(height: int, width: int, halo: int) -> Iterator[tuple[Place, Place, Place]]:
    """For each tile what it sees, its core, and where the core lies in what it sees; in cells."""
    axes = [_axis(length, size, halo) for length, size in zip((height, width), TILE, strict=True)]
    for row, column in product(*axes):
        seen, core, inner = zip(row, column, strict=True)
        yield seen, core, inner


def _axis(length: int, size: int, halo: int) -> list[tuple[slice, slice, slice]]:
    count = -(-length // size)
    edges = [length * i // count for i in range(count + 1)]
    parts = []
    for start, stop in pairwise(edges):
        low, high = max(start - halo, 0), min(stop + halo, length)
        parts.append((slice(low, high), slice(start, stop), slice(start - low, stop - low)))
    return parts


def _pixels(place: Place) -> Place:
    rows, columns = (slice(side.start * CELL, side.stop * CELL) for side in place)
    return rows, columns
