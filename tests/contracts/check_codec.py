"""What every codec owes: run `check_codec` over each one, with latents of many shapes."""

import tracemalloc
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import zstandard

from eapg_split.codecs.base import Codec, Payload
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload

ALLOWED_BYTES = 1 << 20
LIE = LatentSpec.of(xbar=(2, 64, 64, 256, 256))  # 2 GiB
HONEST = LatentSpec.of(xbar=(1, 4, 2, 8, 8))


def check_codec(codec: Codec, latent: Latent) -> None:
    """A round trip, and everything that one latent's bytes can be turned into."""
    payload = codec.encode(latent)
    assert payload.codec == codec.name
    assert payload.spec == latent.spec
    assert codec.encode(latent) == payload, "encoding must be a function of the latent"
    decoded = codec.decode(payload)
    assert decoded.spec == latent.spec
    if codec.lossless:
        assert decoded == latent
    assert np.isfinite(codec.estimate_bits(latent.spec))
    assert codec.estimate_bits(latent.spec) >= 0
    _check_damage(codec, payload)


def check_hostile_payloads(codec: Codec) -> None:
    """Lies about sizes, and bytes that nobody encoded, are refused before anything is allocated for them."""
    zeros = Latent({"xbar": np.zeros((1, 4, 2, 8, 8), np.float32)})
    honest = codec.encode(zeros)
    forged = {
        "bomb": Payload.of(HONEST, codec.name, zstandard.compress(bytes(64 << 20))),
        "larger spec": Payload.of(LIE, codec.name, honest.body),
        "huge frame": Payload.of(LIE, codec.name, huge_frame(LIE.raw_bytes)),
        "huge int8 frame": Payload.of(LIE, codec.name, huge_frame(LIE.raw_bytes // 4 + 64 * 16)),
        "no size": Payload.of(HONEST, codec.name, unsized(bytes(HONEST.raw_bytes))),
        "empty": Payload.of(HONEST, codec.name, b""),
        "trailing": Payload.of(HONEST, codec.name, honest.body + b"more"),
        "two frames": Payload.of(HONEST, codec.name, honest.body * 2),
        "other codec": replace(honest, codec="other"),
    }
    generator = np.random.default_rng(0)
    for size in (1, 4, 12, 100, 4096):
        forged[f"random {size}"] = Payload.of(HONEST, codec.name, generator.bytes(size))
    for name, payload in forged.items():
        refuses(codec, payload, name)


def refuses(codec: Codec, payload: Payload, name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptPayload):
            codec.decode(payload)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < ALLOWED_BYTES, f"{name}: {peak} bytes were allocated"


def huge_frame(size: int) -> bytes:
    """A valid zstd header that declares `size`, and a block that holds next to nothing."""
    header = b"\x28\xb5\x2f\xfd" + b"\xe0" + size.to_bytes(8, "little")
    return header + b"\x03\x00\x00" + b"\x00"


def unsized(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(raw)


def _check_damage(codec: Codec, payload: Payload) -> None:
    body = payload.body
    with pytest.raises(CorruptPayload):
        codec.decode(Payload.of(payload.spec, codec.name, body + b"more"))
    if not body:
        return
    generator = np.random.default_rng(len(body))
    for cut in {0, 1, len(body) // 2, len(body) - 1}:
        for checksum in (payload.checksum, Payload.of(payload.spec, codec.name, body[:cut]).checksum):
            with pytest.raises(CorruptPayload):
                codec.decode(replace(payload, body=body[:cut], checksum=checksum))
    for _ in range(8):
        flipped = bytearray(body)
        flipped[generator.integers(len(body))] ^= 1 << generator.integers(8)
        with pytest.raises(CorruptPayload):
            codec.decode(replace(payload, body=bytes(flipped)))
        with suppress(CorruptPayload):  # with a checksum to match, it may be another latent of that shape
            assert codec.decode(Payload.of(payload.spec, codec.name, bytes(flipped))).spec == payload.spec
