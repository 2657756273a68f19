"""What a codec decodes: the payloads that it made of smooth latents, noise and zeros, broken."""

from functools import cache, partial
from random import Random
from typing import Final

import numpy as np

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Codec, Fidelity, Part, payload_of
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.target import MIB, Target, packed, unpacked

SHAPES: Final[tuple[dict[str, tuple[int, ...]], ...]] = (
    {"xbar": (1, 4, 3, 8, 8)},
    {"xbar": (1, 3, 2, 9, 7), "text": (1, 5, 16)},
    {"xbar": (2, 2, 5, 4, 4), "source": (2, 2, 1, 2, 2)},
    {"source": (40,), "xbar": (3, 70)},
    {"xbar": (1, 2, 4, 128, 160)},  # 80 KiB a frame, so that there are several parts
)
SPECS: Final = tuple(LatentSpec.of(**shapes) for shapes in SHAPES)
_FIDELITIES: Final = (Fidelity(), Fidelity(steps={"xbar": 0.2, "source": 0.05}))


@cache
def payloads(name: str) -> tuple[bytes, ...]:
    """Of a codec, each as one input: the number of its spec, then its parts."""
    codec = CODECS[name]
    generator = np.random.default_rng(7)
    found = []
    for number, shapes in enumerate(SHAPES):
        for fidelity in _FIDELITIES:
            for kind in ("smooth", "noise", "zeros"):
                latent = Latent({name: _values(kind, shape, generator) for name, shape in shapes.items()})
                payload = payload_of(codec, latent, fidelity)
                found.append(packed([bytes([number]), *(part.body for part in payload.parts)]))
    return tuple(found)


def _values(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if kind == "zeros":
        return np.zeros(shape, np.float32)
    if kind == "noise":
        return generator.standard_normal(shape).astype(np.float32)
    waves: np.ndarray = np.sin(np.indices(shape).sum(axis=0) * 0.1)
    return waves.astype(np.float32)


def decode(codec: Codec, data: bytes) -> None:
    """What comes out is a latent of the declared spec, or CorruptPayload."""
    number, *bodies = unpacked(data) or [b""]
    spec = SPECS[sum(number) % len(SPECS)]
    decoder = codec.decoder(spec)
    for body in bodies:
        decoder.add(Part.of(body))  # its checksum matches, so that what is behind it is reached
    assert decoder.finish().spec == spec, "decoded to another spec"


def _mutate(data: bytes, other: bytes, random: Random) -> bytes:
    items, others = unpacked(data), unpacked(other)
    if random.random() < 0.1:
        items[0] = random.choice(others[:1] or [b""])
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if len(items) < 2:
            break
        at = random.randrange(1, len(items))
        match random.randrange(12):
            case 0:
                items.insert(random.randint(1, len(items)), items.pop(at))
            case 1:
                items.insert(at, random.choice(others[1:] or [b""]))
            case 2:
                del items[at]
            case _:
                items[at] = mutated_bytes(items[at], random.choice(others[1:] or [b""]), random)
    return packed(items)


CODEC_TARGETS: Final = tuple(
    Target(
        name,
        "codecs",
        partial(payloads, name),
        _mutate,
        partial(decode, codec),
        (CorruptPayload,),
        base_bytes=8 * MIB,
    )
    for name, codec in CODECS.items()
)
