"""How fast codecs are on one thread: processor seconds, which other programs on the machine do not lengthen."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np
import zstandard
from figures import Row
from numpy.typing import NDArray
from wire_codecs import FP16, FP16_ZSTD, HIVEMIND, Place, counted, zstd_of_fp16
from wire_peers import PeerError, PeerProcess

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Codec, latent_of, payload_of
from eapg_split.domain.latent import Latent

INT8_BAR: Final = 1500.0
_MEGA: Final = 1e6

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Subject:
    """A latent that really is handed on."""

    latent: Latent
    place: Place

    @property
    def counted_bytes(self) -> int:
        return sum(array.nbytes for array in counted(self.latent).values())


@dataclass
class Times:
    """Seconds of each repetition, and the float32 bytes that each of them coded."""

    raw_bytes: int
    encode_s: list[float] = field(default_factory=list)
    decode_s: list[float] = field(default_factory=list)

    @property
    def encode_rate(self) -> float:
        """Megabytes of float32 a second, from the median."""
        return self.raw_bytes / median(self.encode_s) / _MEGA

    @property
    def decode_rate(self) -> float:
        return self.raw_bytes / median(self.decode_s) / _MEGA


def measure(subject: Subject, hivemind: PeerProcess | None, *, times: int) -> dict[str, Times]:
    """All codecs, in turn, `times` times after one round to warm up."""
    found: dict[str, Times] = {}
    contestants = _contestants(subject, hivemind)
    for turn in range(times + 1):
        for name, once in list(contestants.items()):
            try:
                encode_s, decode_s = once()
            except PeerError as error:
                print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
                del contestants[name]
                continue
            if turn > 0:
                entry = found.setdefault(name, Times(_bytes_of(name, subject)))
                entry.encode_s.append(encode_s)
                entry.decode_s.append(decode_s)
    return found


def rows(found: Mapping[str, Times], label: str, missing: str) -> Iterator[Row]:
    """One row for each codec of ours and each direction; `missing` says why there is no hivemind."""
    absent = {HIVEMIND: missing} if missing else {}
    rivals = {name: times for name, times in found.items() if name not in CODECS}
    for name in CODECS:
        for direction in ("encode", "decode"):
            ours = getattr(found[name], f"{direction}_rate")
            beside = {rival: getattr(times, f"{direction}_rate") for rival, times in rivals.items()}
            bar, holds = ("", True) if name != "int8" else (f">= {INT8_BAR:g} MB/s", ours >= INT8_BAR)
            figure = f"{name}, {direction}, MB/s of fp32 on one thread, {label}"
            yield Row(figure, ours, {**beside, **absent}, bar, holds)


def _contestants(
    subject: Subject, hivemind: PeerProcess | None
) -> dict[str, Callable[[], tuple[float, float]]]:
    calls: dict[str, Callable[[], tuple[float, float]]] = {
        name: lambda codec=codec: _ours(codec, subject)  # type: ignore[misc]  # each its own codec
        for name, codec in CODECS.items()
    }
    arrays = list(counted(subject.latent).values())
    calls[FP16] = lambda: _fp16(arrays)
    calls[FP16_ZSTD] = lambda: _fp16_zstd(arrays)
    if hivemind is not None:
        calls[HIVEMIND] = lambda: _hivemind(hivemind, arrays)
    return calls


def _ours(codec: Codec, subject: Subject) -> tuple[float, float]:
    fidelity = subject.place.fidelity()
    began = time.process_time()
    payload = payload_of(codec, subject.latent, fidelity)
    middle = time.process_time()
    latent_of(codec, payload)
    return middle - began, time.process_time() - middle


def _fp16(arrays: Sequence[Floats]) -> tuple[float, float]:
    began = time.process_time()
    halves = [array.astype(np.float16) for array in arrays]
    middle = time.process_time()
    for half in halves:
        half.astype(np.float32)
    return middle - began, time.process_time() - middle


def _fp16_zstd(arrays: Sequence[Floats]) -> tuple[float, float]:
    began = time.process_time()
    bodies = [zstd_of_fp16(array) for array in arrays]
    middle = time.process_time()
    for body in bodies:
        np.frombuffer(zstandard.ZstdDecompressor().decompress(body), np.float16).astype(np.float32)
    return middle - began, time.process_time() - middle


def _hivemind(peer: PeerProcess, arrays: Sequence[Floats]) -> tuple[float, float]:
    """The second of two passes: like the others' it finds the array in the cache."""
    answers = [peer.ask("codec", array, codec="UNIFORM_8BIT", times=2) for array in arrays]
    return sum(a.numbers("encode_s")[1] for a in answers), sum(a.numbers("decode_s")[1] for a in answers)


def _bytes_of(name: str, subject: Subject) -> int:
    return subject.latent.spec.raw_bytes if name in CODECS else subject.counted_bytes
