"""How a prompt reaches the text encoder: as bytes."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

TEXT_BYTES: Final = 160


def tokens_of(prompt: str) -> NDArray[np.int64]:
    """(160,): the UTF-8 bytes of the prompt plus one, padded with zeros; what is longer is cut."""
    raw = np.frombuffer(prompt.encode()[:TEXT_BYTES], dtype=np.uint8).astype(np.int64) + 1
    return np.pad(raw, (0, TEXT_BYTES - len(raw)))
