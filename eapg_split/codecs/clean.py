"""Noise-free latents coded like video: transformed, predicted from the frame before, quantised, entropy coded.

The quantiser's step follows from the quality that is asked for (`Fidelity`). Tensors that must stay exact, and those
of other shapes than (1, C, T, H, W), go through the lossless codec. A part begins with a byte that says which.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from eapg_split.codecs.base import (
    DEFAULT_FIDELITY,
    EXACT_TENSORS,
    Assembly,
    Fidelity,
    Floats,
    Part,
    Slice,
    slice_view,
    slices_of,
)
from eapg_split.codecs.blocks import Layout
from eapg_split.codecs.chain import LARGEST_STEP, Chain, Header
from eapg_split.codecs.entropy import LARGEST
from eapg_split.codecs.lossless import ESTIMATED_BITS, LosslessCodec
from eapg_split.codecs.standalone import check_finite
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload

_DEFAULT_SHARE: Final = 0.02  # of the root mean square, where no step is given
_DEFAULT_BITS: Final = 4.0
_HEADROOM: Final = np.float32(16)  # a coefficient is at most 4 times the largest value, a residual twice that
_LEAST_STEP: Final = 1e-12
_HUGE: Final = 1e15  # what is sent as it is, for no latent is like that
_KIND_EXACT: Final = b"\0"
_KIND_BLOCKS: Final = b"\1"
_EXACT: Final = LosslessCodec()


class CleanCodec:
    """Coded like video, as coarsely as the wanted quality allows; text stays exact."""

    name = "clean"
    lossless = False

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        chain: Chain | None = None
        for wanted in slices_of(latent.spec):
            head, layout = _KIND_BLOCKS, _layout(wanted)
            if layout is not None and wanted.start == 0:
                steps = _steps(latent[wanted.tensor.name], wanted, layout, fidelity)
                chain = None if steps is None else Chain(layout, steps)
                head += b"" if steps is None else steps.astype("<f4").tobytes()
            values = slice_view(latent, wanted)
            if layout is None or chain is None:
                yield Part.of(_EXACT.encode_slice(wanted, values, _KIND_EXACT))
            else:
                yield Part.of(head + chain.encode(values, layout))

    def decoder(self, spec: LatentSpec) -> "CleanDecoder":
        return CleanDecoder(spec)

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        return sum(
            (
                ESTIMATED_BITS
                if tensor.name in EXACT_TENSORS
                else fidelity.bits.get(tensor.name, _DEFAULT_BITS)
            )
            * tensor.size
            for tensor in spec.tensors
        )


class CleanDecoder:
    """Takes the parts in their order: each is predicted from the one before."""

    def __init__(self, spec: LatentSpec) -> None:
        self._assembly = Assembly(spec)
        self._chain: Chain | None = None

    def add(self, part: Part) -> None:
        part.verify()
        wanted = self._assembly.wanted()
        layout = _layout(wanted)
        kind, body = part.body[:1], memoryview(part.body)[1:]
        if kind == _KIND_EXACT:
            self._chain = None
            self._assembly.add(_EXACT.decode_slice(wanted, body))
            return
        header = Header(body)
        if layout is not None and wanted.start == 0:
            self._chain = Chain(layout, _checked_steps(header.floats(layout.channels)))
        if kind != _KIND_BLOCKS or layout is None or self._chain is None:
            raise CorruptPayload(f"A part of tensor {wanted.tensor.name} is of a wrong kind: send it again.")
        self._assembly.add(self._chain.decode(header, layout, wanted.shape))

    def finish(self) -> Latent:
        return self._assembly.finish()


def _layout(wanted: Slice) -> Layout | None:
    return None if wanted.tensor.name in EXACT_TENSORS else Layout.of(wanted)


def _steps(whole: Floats, wanted: Slice, layout: Layout, fidelity: Fidelity) -> Floats | None:
    """A quantiser step for each channel, large enough that no number grows beyond its bound; None for huge values."""
    values = whole[0]
    low, high = values.min(), values.max()
    check_finite(wanted, low, high)
    peak = max(-float(low), float(high))
    if peak > _HUGE:
        return None
    step = fidelity.steps.get(wanted.tensor.name)
    if step is None:
        step = _DEFAULT_SHARE * float(np.sqrt(np.mean(np.square(values), dtype=np.float64)))
    shares = fidelity.channels.get(wanted.tensor.name, ())
    steps = np.full(layout.channels, step, np.float64)
    if len(shares) == layout.channels:
        steps *= np.array(shares)
    return np.clip(steps, _HEADROOM * peak / LARGEST + _LEAST_STEP, LARGEST_STEP).astype(np.float32)


def _checked_steps(steps: Floats) -> Floats:
    if not (np.isfinite(steps).all() and (steps > 0).all() and (steps <= LARGEST_STEP).all()):
        raise CorruptPayload("The quantiser steps are not usable numbers: send the payload again.")
    return steps
