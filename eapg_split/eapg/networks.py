"""The seam that an engine kind implements: numpy in, numpy out, float32, C-contiguous, no batching."""

from collections.abc import Iterable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from eapg_split.eapg.quality import QualityTable

Floats = NDArray[np.float32]

PARTS: Final = ("text", "stage1", "stage2", "low", "encoder", "decoder")
TEXT_TOKENS: Final = 7
TEXT_WIDTH: Final = 48


class Networks(Protocol):
    """The trained networks of one engine kind."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the weights' manifest; the same for every engine kind."""
        ...

    @property
    def time_shift(self) -> tuple[float, float, float, float]:
        """How each stage bends its time grid; 1 is uniform."""
        ...

    @property
    def quality(self) -> QualityTable | None:
        """How coarsely states may be coded; None where that was not measured."""
        ...

    def load(self, parts: Iterable[str]) -> None:
        """Load these weights unless they are there already. Raises CorruptWeights."""
        ...

    def embed_text(self, prompt: str) -> Floats:
        """(2, TEXT_TOKENS, TEXT_WIDTH): the prompt's embedding, then the empty prompt's."""
        ...

    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        """The clean latent behind x_t, (1, C, T, H, W) like it.

        `stage` is 1 to 4, `clean_up` the upsampled result of the stage before (zeros at stage 1), `text` one
        embedding (TEXT_TOKENS, TEXT_WIDTH) at stages 1 and 2, None after.
        """
        ...

    def encode_block(self, frames: Floats) -> Floats:
        """One causal block: (4, H, W, 3) in [-1, 1] to (12, H/8, W/8)."""
        ...

    def decode_block(self, latent: Floats, previous: Floats) -> Floats:
        """(12, h, w) and the latent before it (itself for the first) to (4, 8h, 8w, 3) in [-1, 1]."""
        ...
