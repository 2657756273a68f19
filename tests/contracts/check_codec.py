"""What every codec owes: run these checks over each one, with latents of many shapes."""

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import zstandard

from eapg_split.codecs.base import (
    DEFAULT_FIDELITY,
    EXACT_TENSORS,
    Codec,
    Fidelity,
    Part,
    Payload,
    latent_of,
    payload_of,
    slices_of,
)
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload, EngineFailure

ALLOWED_BYTES = 1 << 20
HUGE = LatentSpec.of(xbar=(2, 64, 64, 256, 256))  # 2 GiB, 32 MiB a slice
SMALL = LatentSpec.of(xbar=(1, 4, 2, 8, 8))
ESTIMATE_FACTOR = 4.0


def smooth(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """What crosses a cut looks like: waves that move along time, another one in each channel, and a little texture."""
    generator = np.random.default_rng(seed)
    batch, channels, frames, height, width = shape
    t, h, w = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    waves = [
        np.sin(0.2 * t + a * h + b * w + c) * d
        for a, b, c, d in generator.uniform(0.05, 0.5, (batch * channels, 4)) * [1, 1, 10, 4]
    ]
    noise = generator.standard_normal(shape) * 0.003
    return (np.stack(waves).reshape(shape) + noise).astype(np.float32)


def light(video: np.ndarray) -> np.ndarray:
    """A video (1, 3, T, 4 H, 4 W) as a light latent (1, 48, T, H, W): 4x4 pixels of a colour in the channels."""
    _, colours, frames, height, width = video.shape
    cells = video.reshape(colours, frames, height // 4, 4, width // 4, 4).transpose(0, 3, 5, 1, 2, 4)
    return np.ascontiguousarray(cells).reshape(1, colours * 16, frames, height // 4, width // 4)


def check_codec(codec: Codec, latent: Latent, fidelity: Fidelity = DEFAULT_FIDELITY) -> None:
    """A round trip, and everything that one latent's bytes can be turned into."""
    payload = payload_of(codec, latent, fidelity)
    assert payload.codec == codec.name
    assert payload.spec == latent.spec
    assert len(payload.parts) == len(slices_of(latent.spec)), "one part for each slice"
    assert payload_of(codec, latent, fidelity) == payload, "encoding must be a function of the latent"
    decoded = latent_of(codec, payload)
    assert decoded.spec == latent.spec
    assert latent_of(codec, payload) == decoded, "decoding must be a function of the payload"
    assert_kept(codec, latent, decoded)
    bits = codec.estimate_bits(latent.spec, fidelity)
    assert np.isfinite(bits)
    assert bits >= 0
    _check_sequence(codec, payload)
    for index in {0, len(payload.parts) // 2, len(payload.parts) - 1}:
        if payload.parts:
            _check_damage(codec, payload, index)


def assert_kept(codec: Codec, latent: Latent, decoded: Latent) -> None:
    """All of a lossless codec's tensors, and every codec's exact ones, come back to the bit."""
    for name, array in latent.items():
        if codec.lossless or name in EXACT_TENSORS:
            np.testing.assert_array_equal(decoded[name].view(np.uint32), array.view(np.uint32))


def check_laziness(codec: Codec) -> None:
    """Parts are computed as they are asked for, and two encodings at a time do not mix."""
    latents = [Latent({"xbar": smooth((1, 16, 32, 32, 64), seed=seed)}) for seed in (1, 2)]  # 4 MiB, 8 slices
    payloads = [payload_of(codec, latent) for latent in latents]
    tracemalloc.start()
    try:
        parts = codec.encode(latents[0])
        assert isinstance(parts, Iterator)
        assert next(parts) == payloads[0].parts[0]
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    # what a codec keeps of the slices before is its own affair; all of the latent it must not hold
    assert held < latents[0].spec.raw_bytes / 2, f"{held} bytes held after the first part"
    both = zip(codec.encode(latents[0]), codec.encode(latents[1]), strict=True)
    assert [
        Payload(p.spec, p.codec, parts) for p, parts in zip(payloads, zip(*both, strict=True), strict=True)
    ] == payloads
    decoders = [codec.decoder(payload.spec) for payload in payloads]
    for pair in zip(*(payload.parts for payload in payloads), strict=True):
        for decoder, part in zip(decoders, pair, strict=True):
            decoder.add(part)
    assert [decoder.finish() for decoder in decoders] == [latent_of(codec, each) for each in payloads]


def check_estimate(codec: Codec, fidelity: Fidelity = DEFAULT_FIDELITY) -> None:
    """The price without data is about the price with it, for latents such as cross a cut."""
    arrays = [smooth((1, 12, 16, 36, 64)), light(smooth((1, 3, 6, 72, 128))), smooth((1, 12, 1, 36, 64))]
    for array in arrays:
        latent = Latent({"xbar": array, "source": array[:, :, :, ::2, ::2]})
        truth = 8 * payload_of(codec, latent, fidelity).body_bytes
        estimate = codec.estimate_bits(latent.spec, fidelity)
        assert truth / ESTIMATE_FACTOR < estimate < truth * ESTIMATE_FACTOR, f"{estimate} bits for {truth}"


def check_fidelity(codec: Codec) -> None:
    """For codecs that follow a fidelity: the mean error is that of a quantiser of the step that was asked for."""
    latent = Latent({"xbar": smooth((1, 12, 8, 36, 64)), "source": smooth((1, 12, 8, 18, 32), seed=1)})
    for step in (0.5, 0.05, 0.01):
        fidelity = Fidelity(
            steps={"xbar": step, "source": step / 2}, channels={"xbar": (1.0,) * 6 + (2.0,) * 6}
        )
        decoded = latent_of(codec, payload_of(codec, latent, fidelity))
        for name, allowed in fidelity.steps.items():
            shares = np.array(fidelity.channels.get(name, (1.0,) * 12))
            squared = np.square(decoded[name].astype(np.float64) - latent[name]).mean(axis=(0, 2, 3, 4))
            assert (np.sqrt(squared) <= 0.4 * allowed * shares + 1e-6).all(), f"{name} with step {allowed}"


def check_not_finite(codec: Codec) -> None:
    """A lossy codec refuses what is no number, and keeps it in an exact tensor."""
    for value in (np.nan, np.inf, -np.inf):
        array = smooth((1, 4, 3, 16, 16))
        array[0, 2, 1, 3, 4] = value
        exact = Latent({"text": array})
        assert latent_of(codec, payload_of(codec, exact)) == exact
        if not codec.lossless:
            with pytest.raises(EngineFailure):
                payload_of(codec, Latent({"xbar": array}))


def check_hostile_payloads(codec: Codec) -> None:
    """Lies about sizes, and bytes that nobody encoded, are refused before anything is allocated for them."""
    honest = payload_of(codec, Latent({"xbar": np.zeros((1, 4, 2, 8, 8), np.float32)})).parts[0].body
    generator = np.random.default_rng(0)
    bodies = {
        "empty": b"",
        "honest": honest,
        "bomb": zstandard.compress(bytes(64 << 20)),
        "huge frame": huge_frame(HUGE.raw_bytes),
        "huge slice": huge_frame(HUGE.raw_bytes // 64),
        "huge plane": huge_frame(HUGE.raw_bytes // 256),
        "no size": zstandard.ZstdCompressor(write_content_size=False).compress(bytes(SMALL.raw_bytes)),
    }
    heads = [b"", honest[:1], honest[:8], *(bytes([head]) for head in (*range(5), 15, 128, 131, 255))]
    for name, body in bodies.items():
        for head in heads:
            if head + body != honest:
                refuses(codec, SMALL, head + body, f"{name} after {head.hex()}")
            refuses(codec, HUGE, head + body, f"{name} after {head.hex()}, huge spec")
    for size in (1, 4, 12, 100, 4096):
        refuses(codec, HUGE, generator.bytes(size), f"random {size}")
    refuses(codec, SMALL, honest + b"more", "trailing")
    refuses(codec, SMALL, honest * 2, "twice")
    with pytest.raises(CorruptPayload):
        latent_of(codec, Payload(SMALL, "other", (Part.of(honest),)))


def refuses(codec: Codec, spec: LatentSpec, body: bytes, name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptPayload):
            latent_of(codec, Payload(spec, codec.name, (Part.of(body),)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < ALLOWED_BYTES + 2 * len(body), f"{name}: {peak} bytes were allocated"


def huge_frame(size: int) -> bytes:
    """A valid zstd header that declares `size`, and a block that holds next to nothing."""
    header = b"\x28\xb5\x2f\xfd" + b"\xe0" + size.to_bytes(8, "little")
    return header + b"\x03\x00\x00" + b"\x00"


def _check_sequence(codec: Codec, payload: Payload) -> None:
    """A part that is missing, extra or declared otherwise is noticed."""
    with pytest.raises(CorruptPayload):
        latent_of(codec, replace(payload, codec="other"))
    with pytest.raises(CorruptPayload):
        latent_of(codec, replace(payload, parts=(*payload.parts, Part.of(b"more"))))
    if not payload.parts:
        return
    with pytest.raises(CorruptPayload):
        latent_of(codec, replace(payload, parts=(*payload.parts, payload.parts[-1])))
    with pytest.raises(CorruptPayload):
        latent_of(codec, replace(payload, parts=payload.parts[:-1]))
    with pytest.raises(CorruptPayload):
        latent_of(
            codec, replace(payload, parts=(replace(payload.parts[0], checksum="0" * 32), *payload.parts[1:]))
        )
    decodes_or_refuses(codec, payload.spec, [part.body for part in reversed(payload.parts)])


def _check_damage(codec: Codec, payload: Payload, index: int) -> None:
    """Truncated and flipped bytes of one part, with its old checksum and with one to match."""
    bodies = [part.body for part in payload.parts]
    body = bodies[index]
    generator = np.random.default_rng(len(body))
    damaged = [body[:cut] for cut in {0, 1, len(body) // 2, len(body) - 1} if 0 <= cut < len(body)]
    flips = []
    for _ in range(8 if body else 0):
        flipped = bytearray(body)
        flipped[generator.integers(len(body))] ^= 1 << generator.integers(8)
        flips.append(bytes(flipped))
    for each in (*damaged, *flips, body + b"more"):
        old = Part(each, payload.parts[index].checksum)
        with pytest.raises(CorruptPayload):
            latent_of(
                codec, replace(payload, parts=(*payload.parts[:index], old, *payload.parts[index + 1 :]))
            )
    for each in (*damaged, body + b"more"):
        with pytest.raises(CorruptPayload):
            decodes_or_refuses(
                codec, payload.spec, [*bodies[:index], each, *bodies[index + 1 :]], refuse=True
            )
    for each in flips:
        decodes_or_refuses(codec, payload.spec, [*bodies[:index], each, *bodies[index + 1 :]])


def decodes_or_refuses(
    codec: Codec, spec: LatentSpec, bodies: Sequence[bytes], *, refuse: bool = False
) -> None:
    """With checksums to match: another latent of that spec or CorruptPayload, which passes when `refuse`."""
    with suppress(*(() if refuse else (CorruptPayload,))):
        payload = Payload(spec, codec.name, tuple(Part.of(body) for body in bodies))
        assert latent_of(codec, payload).spec == spec
