"""Picks a codec for each payload, by the speed of the link and of the CPU; a byte before each part says which.

A codec whose slices stand alone is held to the step that is asked for, slice by slice: one that comes out too coarse
is coded again by the next codec. A codec whose parts build on each other keeps the whole payload.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from eapg_split.codecs.base import (
    DEFAULT_FIDELITY,
    EXACT_TENSORS,
    PART_RAW_BYTES,
    Assembly,
    Codec,
    Decoder,
    Fidelity,
    Floats,
    Part,
    Slice,
    slice_view,
    slices_of,
)
from eapg_split.codecs.choice import Candidate, priced, ranked
from eapg_split.codecs.clean import CleanCodec
from eapg_split.codecs.int4 import Int4Codec
from eapg_split.codecs.int8 import Int8Codec
from eapg_split.codecs.lossless import LosslessCodec
from eapg_split.codecs.standalone import check_finite, first_slices
from eapg_split.domain.latent import Latent, LatentSpec, TensorSpec
from eapg_split.errors import CorruptPayload, InvalidRequest

UNKNOWN_LINK_BITS_PER_S: Final = 10e6  # slow, for a wrong guess costs least there
CANDIDATES: Final[tuple[Codec, ...]] = (LosslessCodec(), Int8Codec(), Int4Codec(), CleanCodec())

_CHAINED: Final = 0x80  # the part belongs to its codec's sequence; without it, its slice stands alone
_MARGIN: Final = (
    0.9  # of the step that is asked for, in a tensor's first slice; the others are not quite alike
)


class AutoCodec:
    """Whichever of the others is estimated to arrive first.

    Instances hold the link's speed and the candidates', which never change.
    """

    name = "auto"
    lossless = False

    def __init__(
        self,
        link_bits_per_s: float | None = None,
        candidates: Sequence[Codec] = CANDIDATES,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` counts seconds: with it the codecs' speeds are measured, once for each codec and process.

        The decoder knows the payloads of the candidates and no others; it needs neither link nor clock.
        Raises InvalidRequest for a link without speed, and for candidates that are none of this project's.
        """
        if link_bits_per_s is not None and not link_bits_per_s > 0:
            raise InvalidRequest("The link's speed must be more than 0 bit/s, or None where nobody knows it.")
        self._link = link_bits_per_s or UNKNOWN_LINK_BITS_PER_S
        self._candidates = tuple(Candidate.of(codec, clock) for codec in candidates)

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        order = ranked(self._candidates, latent, fidelity, self._link)
        named = [each for each, _ in first_slices(latent.spec) if each.tensor.name in fidelity.steps]
        failed = False
        for position, chosen in enumerate(order):
            if failed and chosen.coarse:
                continue
            if chosen.alone is None:
                yield from _chained(chosen, latent, fidelity)
                return
            ready = {each: _coded(chosen, latent, each, fidelity) for each in named}
            if all(_fine(chosen, each, body, fidelity, _MARGIN) for each, body in ready.items()):
                yield from _alone(order[position:], latent, fidelity, ready)
                return
            failed = True
        raise _too_coarse()

    def decoder(self, spec: LatentSpec) -> Decoder:
        return _AutoDecoder(spec, {each.code: each for each in self._candidates})

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        """The estimate of the codec that seems fastest before the data is seen."""
        prices = priced(self._candidates, spec, fidelity, self._link)
        parts = spec.raw_bytes // PART_RAW_BYTES + len(spec.tensors)
        return prices[0][1] + 8.0 * parts if prices else 0.0


class _AutoDecoder:
    """Follows the bytes before the parts: one codec's own sequence, or slices that stand alone."""

    def __init__(self, spec: LatentSpec, known: Mapping[int, Candidate]) -> None:
        self._spec = spec
        self._known = known
        self._assembly = Assembly(spec)
        self._chain: Decoder | None = None
        self._first: int | None = None

    def add(self, part: Part) -> None:
        part.verify()
        head = part.body[0] if part.body else -1
        candidate = self._known.get(head & ~_CHAINED) if head >= 0 else None
        if candidate is None:
            raise CorruptPayload("A part was made by a codec that is not known here: send it again.")
        if self._first is None:
            self._first = head
        elif head != self._first and (head | self._first) & _CHAINED:
            raise CorruptPayload("The parts of one sequence were made by different codecs: send them again.")
        body = memoryview(part.body)[1:]
        if head & _CHAINED:
            self._chain = self._chain or candidate.codec.decoder(self._spec)
            self._chain.add(Part.of(bytes(body)))
        else:
            self._assembly.add(_decoded(candidate, self._assembly.wanted(), body))

    def finish(self) -> Latent:
        return self._chain.finish() if self._chain else self._assembly.finish()


def _chained(chosen: Candidate, latent: Latent, fidelity: Fidelity) -> Iterator[Part]:
    head = bytes([chosen.code | _CHAINED])
    for part in chosen.codec.encode(latent, fidelity):
        yield Part.of(head + part.body)


def _alone(
    order: Sequence[Candidate], latent: Latent, fidelity: Fidelity, ready: dict[Slice, bytes]
) -> Iterator[Part]:
    """Slice by slice in the first codec; one that comes out too coarse, in the next that is fine enough."""
    for wanted in slices_of(latent.spec):
        body = ready.pop(wanted, None) if ready else None
        yield Part.of(body or _fine_enough(order, latent, wanted, fidelity))


def _fine_enough(order: Sequence[Candidate], latent: Latent, wanted: Slice, fidelity: Fidelity) -> bytes:
    for candidate in order:
        body = _coded(candidate, latent, wanted, fidelity)
        if _fine(candidate, wanted, body, fidelity):
            return body
    raise _too_coarse()


def _coded(candidate: Candidate, latent: Latent, wanted: Slice, fidelity: Fidelity) -> bytes:
    """The slice alone, after its codec's code. Raises EngineFailure on values that are not finite."""
    values = slice_view(latent, wanted)
    head = bytes([candidate.code])
    if candidate.codec.lossless and wanted.tensor.name not in EXACT_TENSORS:
        values = np.ascontiguousarray(values)  # which is several times faster to check, and no more to code
        check_finite(wanted, values.min(), values.max())
    if candidate.alone is not None:
        return candidate.alone.encode_slice(wanted, values, head)
    alone = Latent({wanted.tensor.name: values})
    return head + b"".join(part.body for part in candidate.codec.encode(alone, fidelity))


def _decoded(candidate: Candidate, wanted: Slice, body: memoryview) -> Floats:
    if candidate.alone is not None:
        return candidate.alone.decode_slice(wanted, body)
    decoder = candidate.codec.decoder(LatentSpec((TensorSpec(wanted.tensor.name, wanted.shape),)))
    decoder.add(Part.of(bytes(body)))
    return decoder.finish()[wanted.tensor.name]


def _fine(candidate: Candidate, wanted: Slice, body: bytes, fidelity: Fidelity, margin: float = 1.0) -> bool:
    """Whether a slice that was coded alone is within `margin` of the steps that are asked for, if any are."""
    step = fidelity.steps.get(wanted.tensor.name)
    if step is None or candidate.alone is None or candidate.codec.lossless:
        return True
    steps = candidate.alone.steps_of(wanted, memoryview(body)[1:])
    shares = fidelity.channels.get(wanted.tensor.name) or (1.0,)
    if len(shares) == steps.size:
        return bool((steps <= step * margin * np.array(shares)).all())
    return bool(steps.max() <= step * margin * min(shares))


def _too_coarse() -> InvalidRequest:
    return InvalidRequest("No codec among the candidates is as fine as was asked for: add a finer one.")
