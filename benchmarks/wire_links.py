"""How long a hand-off takes on a link of any rate: computed from what was measured of each part, coding overlapped."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from figures import Row
from wire_codecs import FP16, counted
from wire_quality import SHOWPIECE
from wire_shaper import Link
from wire_speed import Subject

from eapg_split.codecs import CODECS
from eapg_split.codecs.auto import AutoCodec
from eapg_split.codecs.base import Codec, Fidelity, Part, slice_view, slices_of
from eapg_split.domain.latent import Latent

AUTO: Final = "auto"
AUTO_BAR: Final = 1.02
CLEAN_UP_TO_BIT_S: Final = 300e6
RATES_BIT_S: Final = (1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9, 3e9, 1e10)


@dataclass(frozen=True, slots=True)
class PartCost:
    """What one part takes: the sender's processor, the wire, the receiver's processor."""

    encode_s: float
    size_bytes: int
    decode_s: float


def pipelined_s(parts: Iterable[PartCost], link: Link) -> float:
    """From the start until the sender hears that all parts are decoded.

    A part is sent when it is coded and its predecessor has left, and decoded when it has arrived and its predecessor
    is decoded.
    """
    coded = sent = decoded = 0.0
    for part in parts:
        coded += part.encode_s
        sent = max(sent, coded) + 8 * part.size_bytes / link.rate_bit_s
        decoded = max(decoded, sent + link.rtt_s / 2) + part.decode_s
    return decoded + link.rtt_s / 2


def costs(subject: Subject, rate_bit_s: float, *, times: int) -> dict[str, list[PartCost]]:
    """The parts of all codecs (`auto` is told the rate) and of raw 16-bit floats.

    Medians of `times` rounds in which all take turns, after one to warm up.
    """
    codecs = {**CODECS, AUTO: AutoCodec(rate_bit_s, clock=time.thread_time)}
    fidelity = subject.place.fidelity()
    rounds: dict[str, list[list[PartCost]]] = {}
    for turn in range(times + 1):
        found = {name: our_costs(codec, subject.latent, fidelity) for name, codec in codecs.items()}
        found[FP16] = fp16_costs(Latent(counted(subject.latent)))
        for name, parts in found.items():
            if turn > 0:
                rounds.setdefault(name, []).append(parts)
    return {name: _medians(parts) for name, parts in rounds.items()}


def single_codecs() -> tuple[str, ...]:
    """All codecs of ours but the one that picks among them."""
    return tuple(name for name in CODECS if name != AUTO)


def our_costs(codec: Codec, latent: Latent, fidelity: Fidelity) -> list[PartCost]:
    """One pass of a codec over each tensor by itself, as the runtime sends them."""
    found = []
    for name, array in latent.items():
        alone = Latent({name: array})
        coded = list(_timed(codec.encode(alone, fidelity)))
        decoder = codec.decoder(alone.spec)
        for index, (part, encode_s) in enumerate(coded):
            began = time.thread_time()
            decoder.add(part)
            if index + 1 == len(coded):
                decoder.finish()
            found.append(PartCost(encode_s, len(part.body), time.thread_time() - began))
    return found


def rows(subject: Subject, good: Collection[str], label: str, *, times: int) -> Iterator[Row]:
    """Two rows for each rate: clean against raw 16-bit floats, and auto against the best single codec.

    `good` are the codecs that reach the quality at this cut: the others do not stand for election.
    """
    for rate in RATES_BIT_S:
        found = costs(subject, rate, times=times)
        seconds = {name: pipelined_s(parts, Link(rate, 0.0)) for name, parts in found.items()}
        where = f"computed at {rate / 1e6:g} Mbit/s, {label}"
        if SHOWPIECE in seconds:
            ratio = seconds[FP16] / seconds[SHOWPIECE]
            bar, holds = ("> 1", ratio > 1) if rate <= CLEAN_UP_TO_BIT_S else ("", True)
            figure = f"times faster than {FP16}, {SHOWPIECE}, {where}"
            yield Row(figure, ratio, in_ms(seconds), bar, holds)
        best = min(good, key=lambda name: seconds[name])
        yield Row(
            f"time over that of the best single codec, {AUTO}, {where}",
            seconds[AUTO] / seconds[best],
            {"best": best, **in_ms({name: seconds[name] for name in (AUTO, *good)})},
            f"<= {AUTO_BAR}",
            seconds[AUTO] <= AUTO_BAR * seconds[best],
        )


def in_ms(seconds: Mapping[str, float]) -> dict[str, str]:
    """For people."""
    return {name: f"{value * 1e3:.1f} ms" for name, value in seconds.items()}


def fp16_costs(latent: Latent) -> list[PartCost]:
    """Raw 16-bit floats, cut and overlapped in the same way."""
    found = []
    for piece in slices_of(latent.spec):
        array = slice_view(latent, piece)
        began = time.thread_time()
        half = array.astype(np.float16)
        middle = time.thread_time()
        half.astype(np.float32)
        found.append(PartCost(middle - began, half.nbytes, time.thread_time() - middle))
    return found


def _timed(parts: Iterator[Part]) -> Iterator[tuple[Part, float]]:
    while True:
        began = time.thread_time()
        part = next(parts, None)
        if part is None:
            return
        yield part, time.thread_time() - began


def _medians(rounds: Sequence[Sequence[PartCost]]) -> list[PartCost]:
    return [
        PartCost(median(p.encode_s for p in same), same[0].size_bytes, median(p.decode_s for p in same))
        for same in zip(*rounds, strict=True)
    ]
