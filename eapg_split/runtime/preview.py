"""Cuts a stage's clean estimate into small frames, so that looking never costs much next to computing."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from eapg_split.runtime.events import PreviewFrame

MAX_SIDE = 512  # 512 * 512 * 3 bytes fit into one message
MAX_FRAMES = 32


def preview_frames(stage: str, step: int, clip: NDArray[np.uint8]) -> Iterator[PreviewFrame]:
    """At most 32 frames of at most 512 x 512 out of a clip (T, h, w, 3), evenly chosen in time and space."""
    count = min(MAX_FRAMES, clip.shape[0])
    chosen = np.linspace(0, clip.shape[0] - 1, count).round().astype(int)
    stride = -(-max(clip.shape[1:3]) // MAX_SIDE)
    for index, position in enumerate(chosen):
        yield PreviewFrame(
            stage, step, index, count, np.ascontiguousarray(clip[position, ::stride, ::stride])
        )
