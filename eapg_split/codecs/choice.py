"""Which of several codecs gets a latent across a link first, from prices, speeds and now and then a sample.

The time is that of a pipeline of three stages, encoding, the wire and decoding. Sizes come from the codecs' own
estimates. Where those leave it open which codec is the fastest, a small piece of the latent is encoded and the
estimates corrected by what that gave, but only when this costs next to nothing of the whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from eapg_split.codecs.base import (
    EXACT_TENSORS,
    PART_RAW_BYTES,
    TIME_AXIS,
    Codec,
    Fidelity,
    latent_of,
    payload_of,
)
from eapg_split.codecs.standalone import StandaloneCodec
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import InvalidRequest

_SAMPLE_BYTES: Final = 1 << 15
_SAMPLE_SHARE: Final = 0.005  # of the estimated time; a sample that would take more is not taken
_SMALL_IS_SLOW: Final = 4.0  # a sample takes so much longer for its size than a slice
_ROUNDS: Final = 10  # five were too few where others computed: one time in ten all of them were disturbed
_USUAL_STEP: Final = 0.8  # leaves a fifth of a bit, as at most cuts: with more bits `clean` is slower
_TOLERANCE: Final = 0.02  # a choice that can be at most so much slower than another needs no sample


@dataclass(frozen=True, slots=True)
class Speed:
    """Raw bytes a second, one thread."""

    encode: float
    decode: float


@dataclass(frozen=True, slots=True)
class _Nature:
    """What is known of a codec by its name: its code on the wire, how far its size may be from its estimate."""

    code: int
    speed: Speed  # of one core of an ordinary machine
    least: float = 1.0
    most: float = 1.0
    by_default: bool = True  # fine enough where no step is asked for


_NATURES: Final = {
    "lossless": _Nature(0, Speed(0.5e9, 0.7e9), 0.3, 1.25),
    "int8": _Nature(1, Speed(1.8e9, 2.6e9)),
    "int4": _Nature(2, Speed(0.9e9, 1.4e9), by_default=False),
    "clean": _Nature(3, Speed(0.2e9, 0.22e9), 0.5, 2.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A codec to choose, its code on the wire and its speed here."""

    codec: Codec
    code: int
    speed: Speed
    alone: StandaloneCodec | None  # the codec again, if its slices stand alone
    _nature: _Nature

    @classmethod
    def of(cls, codec: Codec, clock: Callable[[], float] | None) -> "Candidate":
        """Measures the codec's speed when there is a clock. Raises InvalidRequest for a codec without a code."""
        if codec.name not in _NATURES:
            raise InvalidRequest(f"{codec.name!r} cannot be chosen: use some of {', '.join(_NATURES)}.")
        nature = _NATURES[codec.name]
        speed = nature.speed
        if clock is not None:
            speed = measured_speed(codec, clock)  # type: ignore[arg-type]  # codecs are hashed by identity
        return cls(codec, nature.code, speed, _alone(codec), nature)  # type: ignore[arg-type]  # and here

    @property
    def coarse(self) -> bool:
        """Whether it is the coarsest: then it is not tried where another one was too coarse."""
        return not self._nature.by_default

    def eligible(self, spec: LatentSpec, fidelity: Fidelity) -> bool:
        """Whether it may be fine enough: what its step on the data is, shows when a slice is encoded."""
        lossy = (tensor.name for tensor in spec.tensors if tensor.name not in EXACT_TENSORS)
        return self._nature.by_default or all(name in fidelity.steps for name in lossy)

    def seconds(self, raw: int, bits: float, link_bits_per_s: float) -> float:
        """Until all is decoded: the slowest of the three stages, and one part's way through the others."""
        stages = (raw / self.speed.encode, bits / link_bits_per_s, raw / self.speed.decode)
        return max(stages) + (sum(stages) - max(stages)) / (raw // PART_RAW_BYTES + 1)

    @property
    def varies(self) -> bool:
        """Whether its size may be another than estimated."""
        return self._nature.least < self._nature.most

    @property
    def sample_seconds(self) -> float:
        """What coding a sample takes."""
        return _SMALL_IS_SLOW * _SAMPLE_BYTES / self.speed.encode

    def least(self, bits: float) -> float:
        """The fewest bits that an estimate of `bits` may turn out to be."""
        return bits * self._nature.least

    def most(self, bits: float) -> float:
        """The most bits that an estimate of `bits` may turn out to be."""
        return bits * self._nature.most


@cache  # for every hand-off has an `auto` of its own, and asking takes as long as coding a small slice
def _alone(codec: Codec) -> StandaloneCodec | None:
    return codec if isinstance(codec, StandaloneCodec) else None


def priced(
    candidates: Sequence[Candidate], spec: LatentSpec, fidelity: Fidelity, link_bits_per_s: float
) -> list[tuple[float, float, Candidate]]:
    """(seconds, bits, candidate) of those that may be fine enough, the fastest first."""
    prices, raw = [], spec.raw_bytes
    for each in candidates:
        if each.eligible(spec, fidelity):
            bits = each.codec.estimate_bits(spec, fidelity)
            prices.append((each.seconds(raw, bits, link_bits_per_s), bits, each))
    return sorted(prices, key=lambda price: price[0])


def ranked(
    candidates: Sequence[Candidate], latent: Latent, fidelity: Fidelity, link_bits_per_s: float
) -> list[Candidate]:
    """Those that may be fine enough, the fastest first, after a sample where that can change the choice."""
    raw = latent.spec.raw_bytes
    prices = priced(candidates, latent.spec, fidelity, link_bits_per_s)
    unsure = _unsure(prices, raw, link_bits_per_s)
    if not unsure:
        return [each for _, _, each in prices]
    seconds = {
        each: each.seconds(raw, bits * _sampled(each, latent, fidelity), link_bits_per_s)
        if each in unsure
        else estimated
        for estimated, bits, each in prices
    }
    return sorted(seconds, key=seconds.__getitem__)


def _unsure(
    prices: Sequence[tuple[float, float, Candidate]], raw: int, link_bits_per_s: float
) -> list[Candidate]:
    """Those whose sample could change the choice, and is cheap enough to take."""
    unsure = [each for _, _, each in prices if each.varies]
    if len(prices) < 2 or not unsure:
        return []
    budget = _SAMPLE_SHARE * prices[0][0]
    if min(each.sample_seconds for each in unsure) > budget:  # mostly so, and found out fastest
        return []
    _, bits, best = prices[0]
    bound = best.seconds(raw, best.most(bits), link_bits_per_s) * (1 - _TOLERANCE)
    rivals = [
        each for _, bits, each in prices[1:] if each.seconds(raw, each.least(bits), link_bits_per_s) < bound
    ]
    unsure = [each for each in (best, *rivals) if rivals and each.varies]
    return unsure if sum(each.sample_seconds for each in unsure) < budget else []


def _sampled(candidate: Candidate, latent: Latent, fidelity: Fidelity) -> float:
    """What a small piece of the largest tensor takes, relative to its estimate."""
    tensor = max(latent.spec.tensors, key=lambda each: each.size)
    piece = latent[tensor.name]
    if piece.ndim > TIME_AXIS:
        piece = piece[:, :, :1]
    if piece.ndim > TIME_AXIS + 1:
        piece = piece[:, :, :, : max(1, _SAMPLE_BYTES * piece.shape[TIME_AXIS + 1] // piece.nbytes)]
    sample = Latent({tensor.name: np.ascontiguousarray(piece)})
    bits = 8 * payload_of(candidate.codec, sample, fidelity).body_bytes
    return bits / max(candidate.codec.estimate_bits(sample.spec, fidelity), 1.0)


@cache
def measured_speed(codec: Codec, clock: Callable[[], float]) -> Speed:
    """What this process reaches on a smooth slice; measured once for each codec, for it takes a moment.

    The fastest of many rounds, for other programs disturb; best with a clock that counts this thread's own time.
    """
    latent, fidelity = _smooth_slice(), Fidelity({"xbar": _USUAL_STEP})
    payload = payload_of(codec, latent, fidelity)  # the first time is slower
    marks = [clock()]
    for _ in range(_ROUNDS):
        payload_of(codec, latent, fidelity)
        marks.append(clock())
        latent_of(codec, payload)
        marks.append(clock())
    seconds = np.maximum(np.diff(marks), 1e-9)
    raw = latent.spec.raw_bytes
    return Speed(raw / float(seconds[::2].min()), raw / float(seconds[1::2].min()))


@cache
def _smooth_slice() -> Latent:
    t, h, w = np.meshgrid(np.arange(4), np.arange(36), np.arange(64), indexing="ij")
    frames = np.stack([np.sin((3 * t + 2 * h + w) / 15 + channel) for channel in range(12)])
    texture = np.sin(np.arange(frames.size) ** 2).reshape(frames.shape) * 0.02
    return Latent({"xbar": (frames + texture)[None].astype(np.float32)})
