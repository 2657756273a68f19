"""Small deterministic networks in numpy: random linear maps at fixed seeds, quick, and not linear as a whole.

A wrong state, noise, time, text or stage gives different frames. Not a model: the frames show nothing.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from eapg_split.eapg.networks import PARTS, TEXT_TOKENS, TEXT_WIDTH
from eapg_split.errors import CorruptWeights

Floats = NDArray[np.float32]

_CHANNELS = {1: 48, 2: 192, 3: 12, 4: 12}


def _weights(name: str, *shape: int) -> Floats:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    scale = 1.0 / np.sqrt(shape[-1])
    drawn: NDArray[np.float64] = np.random.default_rng(seed).standard_normal(shape) * scale
    return drawn.astype(np.float32)


class ToyNetworks:
    """Satisfies eapg_split.eapg.networks.Networks; `loaded` records the parts, `calls` the predictions."""

    quality = None

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.calls: list[tuple[int, float]] = []
        self._mix = {k: _weights(f"mix{k}", c, c) for k, c in _CHANNELS.items()}
        self._lift = {k: _weights(f"lift{k}", c, TEXT_WIDTH) for k, c in _CHANNELS.items()}
        # the mean colour of a cell, and nine random patterns of mean zero that vanish in flat cells
        patterns = _weights("vae", 9, 3, 64).astype(np.float64)
        patterns = (patterns - patterns.mean(axis=2, keepdims=True)).reshape(9, 192)
        means = np.kron(np.eye(3), np.full((1, 64), 2 / 64))
        self._encode = np.concatenate([means, np.linalg.qr(patterns.T)[0].T]).astype(np.float32)
        self._decode = np.concatenate([np.kron(np.eye(3), np.full((1, 64), 0.5)), 4 * self._encode[3:]]).T
        self._decode = np.ascontiguousarray(self._decode, np.float32)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(b"toy networks 1").hexdigest()

    @property
    def time_shift(self) -> tuple[float, float, float, float]:
        return (1.0, 1.5, 1.0, 1.0)

    def load(self, parts: Iterable[str]) -> None:
        parts = tuple(parts)
        if not set(parts) <= set(PARTS):
            raise CorruptWeights(f"There are no weights for {parts}: use {PARTS}.")
        self.loaded.update(parts)

    def embed_text(self, prompt: str) -> Floats:
        return np.stack([_weights(f"text {text}", TEXT_TOKENS, TEXT_WIDTH) for text in (prompt, "")])

    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        """Local in space and time, so that windows cannot be seen in it."""
        self.calls.append((stage, t))
        bias = np.float32(t)
        if text is not None:
            bias = bias + self._lift[stage] @ text.mean(axis=0)
        moved = np.moveaxis(np.float32(0.5) * x_t + clean_up, 1, -1)
        mixed = np.einsum("bthwc,dc->bthwd", moved, self._mix[stage], optimize=False)
        return np.ascontiguousarray(np.tanh(np.moveaxis(mixed + bias, -1, 1)))

    def encode_block(self, frames: Floats) -> Floats:
        _, height, width, _ = frames.shape
        # the block's mean over time, cell by cell: (3 * 64, h, w)
        cells = frames.mean(axis=0).reshape(height // 8, 8, width // 8, 8, 3).transpose(4, 1, 3, 0, 2)
        flat = cells.reshape(192, -1)
        return np.ascontiguousarray((self._encode @ flat).reshape(12, height // 8, width // 8))

    def decode_block(self, latent: Floats, previous: Floats) -> Floats:
        _, height, width = latent.shape
        frames = []
        for share in (0.25, 0.5, 0.75, 1.0):
            mixed = np.float32(share) * latent + np.float32(1 - share) * previous
            colours: Floats = self._decode[:, :3] @ mixed[:3].reshape(3, -1)
            cells = colours + np.tanh(self._decode[:, 3:] @ mixed[3:].reshape(9, -1))
            pixels = cells.reshape(3, 8, 8, height, width).transpose(3, 1, 4, 2, 0)
            frames.append(pixels.reshape(height * 8, width * 8, 3))
        return np.stack(frames)
