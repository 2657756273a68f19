"""What a codec is: latents to bytes and back, bounded, and priced without data."""

import hashlib
from dataclasses import dataclass
from typing import Final, Protocol, Self

from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload

MAX_BODY_BYTES: Final = 2**31


def checksum_of(body: bytes) -> str:
    """A 128-bit BLAKE2b digest in hex: against accidents, not against an adversary who can rewrite both."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Payload:
    """Encoded bytes, the spec of what they decode to, the codec's name and the checksum of the bytes."""

    spec: LatentSpec
    codec: str
    body: bytes
    checksum: str

    @classmethod
    def of(cls, spec: LatentSpec, codec: str, body: bytes) -> Self:
        return cls(spec, codec, body, checksum_of(body))

    def verify(self, codec: str) -> None:
        """Raise CorruptPayload unless the bytes are those that were declared, for this codec."""
        if self.codec != codec:
            raise CorruptPayload(f"The payload was made by codec {self.codec[:32]!r}, not {codec!r}.")
        if len(self.body) > MAX_BODY_BYTES:
            raise CorruptPayload(f"The payload has {len(self.body)} bytes, more than {MAX_BODY_BYTES}.")
        if checksum_of(self.body) != self.checksum:
            raise CorruptPayload("The payload does not match its checksum: send it again.")


class Codec(Protocol):
    """One way to put a latent on the wire; instances hold no state and may be shared."""

    @property
    def name(self) -> str: ...

    @property
    def lossless(self) -> bool: ...

    def encode(self, latent: Latent) -> Payload:
        """The latent as bytes. A lossy codec raises EngineFailure on values that are not finite."""
        ...

    def decode(self, payload: Payload) -> Latent:
        """The latent again. Raises CorruptPayload on anything wrong, before it allocates."""
        ...

    def estimate_bits(self, spec: LatentSpec) -> float:
        """About how many bits `encode` will give for a latent of this spec."""
        ...
