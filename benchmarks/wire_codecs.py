"""What each codec makes of a latent: ours, raw 16-bit floats with and without zstd, and hivemind's 8 bits.

Counted are the tensors that grow with the clip. The text's 672 numbers stay exact with every codec here, whatever
its kind, and are left out of all bits and bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray
from wire_peers import PeerProcess

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import (
    EXACT_TENSORS,
    Codec,
    Fidelity,
    latent_of,
    payload_of,
)
from eapg_split.domain.latent import Latent
from eapg_split.domain.workload import Workload
from eapg_split.eapg.pipeline import EapgPipeline

DEFAULT_DB: Final = 45.0
HIVEMIND: Final = "hivemind UNIFORM_8BIT"
FP16: Final = "fp16 raw"
FP16_ZSTD: Final = "fp16 + zstd"
_ZSTD_LEVEL: Final = 3

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Coded:
    """What comes out at the other end, and the bytes that each counted tensor took."""

    latent: Latent
    tensor_bytes: Mapping[str, int]

    @property
    def size(self) -> int:
        return sum(self.tensor_bytes.values())


@dataclass(frozen=True)
class Place:
    """Where a latent is handed on: after `step` of a workload whose engine says how exact it must stay."""

    engine: EapgPipeline
    workload: Workload
    step: int

    def fidelity(self, quality_db: float = DEFAULT_DB) -> Fidelity:
        """What a lossy codec may do there so that the final video still reaches the quality."""
        return self.engine.fidelity(self.workload, self.step, quality_db)


Coder = Callable[[Latent, Place], Coded]


def counted(latent: Latent) -> dict[str, Floats]:
    """The tensors whose bits are counted."""
    return {name: array for name, array in latent.items() if name not in EXACT_TENSORS}


def elements(latent: Latent) -> int:
    """How many numbers are counted."""
    return sum(array.size for array in counted(latent).values())


def our_coders() -> dict[str, Coder]:
    """Every codec of the project at the default quality."""
    return {name: our_coder(codec) for name, codec in CODECS.items()}


def our_coder(codec: Codec, quality_db: float = DEFAULT_DB) -> Coder:
    """A codec of the project, told what the final video must reach."""

    def code(latent: Latent, place: Place) -> Coded:
        fidelity = place.fidelity(quality_db)
        sizes, arrays = {}, {}
        for name, array in counted(latent).items():  # each by itself, as the runtime sends them
            payload = payload_of(codec, Latent({name: array}), fidelity)
            sizes[name] = payload.body_bytes
            arrays[name] = latent_of(codec, payload)[name]
        return Coded(_replaced(latent, arrays), sizes)

    return code


def fp16(latent: Latent, place: Place) -> Coded:
    """Two bytes a number."""
    del place
    halves = {name: array.astype(np.float16) for name, array in counted(latent).items()}
    return Coded(_replaced(latent, halves), {name: half.nbytes for name, half in halves.items()})


def fp16_zstd(latent: Latent, place: Place) -> Coded:
    """Two bytes a number, then zstd."""
    plain = fp16(latent, place)
    packed = {name: len(zstd_of_fp16(array)) for name, array in counted(latent).items()}
    return Coded(plain.latent, packed)


def zstd_of_fp16(array: Floats) -> bytes:
    """The array's 16-bit floats in one zstd frame."""
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(array.astype(np.float16).tobytes())


def hivemind_coder(peer: PeerProcess) -> Coder:
    """The 8 bits of hivemind, computed by hivemind itself in its own process."""

    def code(latent: Latent, place: Place) -> Coded:
        del place
        answers = {
            name: peer.ask("codec", array, codec="UNIFORM_8BIT", times=1)
            for name, array in counted(latent).items()
        }
        sizes = {name: int(answer.fields["wire_bytes"]) for name, answer in answers.items()}
        return Coded(_replaced(latent, {name: answer.array for name, answer in answers.items()}), sizes)

    return code


def _replaced(latent: Latent, arrays: Mapping[str, NDArray[np.floating]]) -> Latent:
    return Latent({**latent, **{name: array.astype(np.float32) for name, array in arrays.items()}})
