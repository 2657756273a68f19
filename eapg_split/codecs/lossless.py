"""Every bit kept: the four bytes of each number in four planes, then zstd.

Neighbouring numbers share sign and exponent, so their high bytes together compress; the low ones hardly do.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity, Floats, Part, Slice, SliceDecoder
from eapg_split.codecs.compression import compress, decompress
from eapg_split.codecs.standalone import encoded_slices
from eapg_split.domain.latent import ITEM_BYTES, Latent, LatentSpec

ESTIMATED_BITS: Final = 28.0  # an element; measured on smooth latents, order 32 when they are not


class LosslessCodec:
    """`latent_of(payload_of(latent)) == latent` for every latent, to the bit."""

    name = "lossless"
    lossless = True

    def encode(self, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> Iterator[Part]:
        del fidelity  # nothing is lost
        return encoded_slices(latent, self.encode_slice)

    def decoder(self, spec: LatentSpec) -> SliceDecoder:
        return SliceDecoder(spec, self.decode_slice)

    def estimate_bits(self, spec: LatentSpec, fidelity: Fidelity = DEFAULT_FIDELITY) -> float:
        del fidelity
        return ESTIMATED_BITS * spec.elements

    def encode_slice(self, wanted: Slice, values: Floats) -> bytes:
        del wanted
        planes = np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(-1, ITEM_BYTES)
        return compress(planes.T.tobytes())

    def decode_slice(self, wanted: Slice, body: bytes) -> Floats:
        planes = np.frombuffer(decompress(body, wanted.size * ITEM_BYTES), np.uint8).reshape(ITEM_BYTES, -1)
        values = np.ascontiguousarray(planes.T).reshape(-1).view("<f4").astype(np.float32, copy=False)
        return values.reshape(wanted.shape)
