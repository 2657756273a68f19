"""The latent space of each stage: between frames and latents, block by block.

Stages 1 and 2 are "light": pixels rearranged, nothing learnt, one or four frames to a latent. Stages 3 and 4
use the causal 64x autoencoder: the first latent is the first frame four times over, then four frames each.
Frames are float32 (H, W, 3) in [-1, 1]; a last block that is not full repeats its last frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.workload import Geometry
from eapg_split.eapg.networks import Networks
from eapg_split.eapg.tiles import decode_block, encode_block

Floats = NDArray[np.float32]

RGB: Final = 3


@dataclass(frozen=True, slots=True)
class Space:
    """`frames` of `cell` x `cell` pixels make one latent cell of `channels`; `light` needs no network."""

    channels: int
    frames: int
    cell: int
    light: bool

    def length(self, frames: int) -> int:
        """Latents in time for a number of frames."""
        if self.light:
            return -(-frames // self.frames)
        return 1 - (-(frames - 1) // self.frames)

    def shape(self, geometry: Geometry) -> tuple[int, int, int, int]:
        """(C, T, H, W) of the latent of a clip."""
        cells = geometry.height // self.cell, geometry.width // self.cell
        return self.channels, self.length(geometry.frames), *cells


SPACES: Final = (
    Space(RGB * 16, 1, 4, True),
    Space(RGB * 64, 4, 4, True),
    Space(12, 4, 8, False),
    Space(12, 4, 8, False),
)


def pack(block: Floats, cell: int) -> Floats:
    """Pixels to channels: (n, H, W, 3) to (3 * n * cell * cell, H / cell, W / cell), channels (c, dt, dy, dx)."""
    count, height, width, _ = block.shape
    split = block.reshape(count, height // cell, cell, width // cell, cell, RGB)
    return split.transpose(5, 0, 2, 4, 1, 3).reshape(-1, height // cell, width // cell)


def unpack(latent: Floats, cell: int) -> Floats:
    """The inverse of pack."""
    channels, height, width = latent.shape
    split = latent.reshape(RGB, channels // (RGB * cell * cell), cell, cell, height, width)
    return split.transpose(1, 4, 2, 5, 3, 0).reshape(-1, height * cell, width * cell, RGB)


def encode(space: Space, frames: Iterable[Floats], geometry: Geometry, networks: Networks) -> Floats:
    """The latent (1, C, T, H, W) of a clip; only one block of frames is held at a time."""
    out = np.empty((1, *space.shape(geometry)), np.float32)
    for index, block in enumerate(_blocks(frames, space)):
        out[0, :, index] = pack(block, space.cell) if space.light else encode_block(networks, block)
    return out


def decode(space: Space, latent: Floats, frames: int, networks: Networks) -> Iterator[Floats]:
    """The frames of a latent (1, C, T, H, W), clipped to [-1, 1], one at a time."""
    left = frames
    for index in range(latent.shape[2]):
        block = decode_at(space, latent, index, networks)[:left]
        left -= len(block)
        yield from block


def decode_at(space: Space, latent: Floats, index: int, networks: Networks) -> Floats:
    """The frames (n, H, W, 3) of one latent: a causal latent needs only the one before it."""
    current = np.ascontiguousarray(latent[0, :, index])
    if space.light:
        return np.clip(unpack(current, space.cell), -1.0, 1.0)
    previous = np.ascontiguousarray(latent[0, :, max(index - 1, 0)])
    block = np.clip(decode_block(networks, current, previous), -1.0, 1.0)
    return block[-1:] if index == 0 else block


def _blocks(frames: Iterable[Floats], space: Space) -> Iterator[Floats]:
    pending: list[Floats] = []
    last = None
    for frame in frames:
        if last is None and not space.light:
            yield np.stack([frame] * space.frames)
        else:
            pending.append(frame)
        last = frame
        if len(pending) == space.frames:
            yield np.stack(pending)
            pending = []
    if pending:
        yield np.stack(pending + pending[-1:] * (space.frames - len(pending)))
