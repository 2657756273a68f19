"""Random numbers of one simulation: a stream for each entity, by its name, so that one more node changes no other's."""

from hashlib import blake2b

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """The stream of the entity of those names under a seed; the same on every machine and in every process."""
    digest = blake2b("\0".join((str(seed), *names)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
