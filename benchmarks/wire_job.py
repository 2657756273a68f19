"""Whole jobs over three daemons: the clip that `clean` gives beside the lossless one, scene by scene."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from figures import Row
from numpy.typing import NDArray
from wire_latents import PROMPTS
from wire_quality import QUALITY_DB, SHOWPIECE

from eapg_split.domain.request import Request
from eapg_split.eapg.calibration import psnr
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import Hop, JobDone, OutputChunk, OutputFile

REFERENCE: Final = "lossless"

Frames = list[NDArray[np.uint8]]


def measure(
    size: tuple[int, int], seconds: float, prompts: Sequence[str], weights: Path | None
) -> list[tuple[float, int, int]]:
    """For each prompt: the PSNR of the whole clip, and the bytes of its hand-offs by `clean` and lossless."""
    return asyncio.run(_measure(size, seconds, prompts, weights))


async def _measure(
    size: tuple[int, int], seconds: float, prompts: Sequence[str], weights: Path | None
) -> list[tuple[float, int, int]]:
    found = []
    async with local_topology(weights=weights) as topology:
        for seed, prompt in enumerate(prompts):
            request = Request(prompt, width=size[0], height=size[1], seconds=seconds, seed=seed)
            (reference, all_bytes), (coded, few_bytes) = [
                await _clip(topology.device_address, request, codec) for codec in (REFERENCE, SHOWPIECE)
            ]
            found.append((psnr(coded, reference), few_bytes, all_bytes))
    return found


async def _clip(address: str, request: Request, codec: str) -> tuple[Frames, int]:
    """A job's frames, from its PNG files, and the bytes that crossed its cuts."""
    files: list[bytearray] = []
    crossed = 0
    async with asyncio.timeout(600):
        async for event in generate(address, request, JobOptions(policy="pyramid", codec=codec, suffix="")):
            match event:
                case OutputFile():
                    files.append(bytearray())
                case OutputChunk(data):
                    files[-1] += data
                case Hop(wire_bytes=size):
                    crossed += size
                case JobDone():
                    break
    return [_decoded(file) for file in files], crossed


def _decoded(file: bytearray) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError("a frame of the output is no PNG")
    return np.asarray(image, np.uint8)


def rows(size: tuple[int, int], seconds: float, count: int, weights: Path | None) -> Iterator[Row]:
    """The worst scene counts."""
    prompts = PROMPTS[:count]
    found = measure(size, seconds, prompts, weights)
    worst = min(range(count), key=lambda i: found[i][0])
    values = [each[0] for each in found]
    beside: dict[str, float | str] = {
        "worst": prompts[worst],
        "median": round(float(np.median(values)), 2),
        "best": round(max(values), 2) if math.isfinite(max(values)) else "identical",
    }
    what = f"{count} whole jobs of {size[0]}x{size[1]}, {seconds:g} s, policy pyramid, {SHOWPIECE} at {QUALITY_DB:g} dB"
    yield Row(
        f"{what}: PSNR against lossless, worst scene",
        round(values[worst], 2),
        beside,
        f">= {QUALITY_DB:g} dB",
        values[worst] >= QUALITY_DB,
    )
    coded, whole = (sum(each[index] for each in found) for index in (1, 2))
    yield Row(f"{what}: bytes of all hand-offs", coded, {REFERENCE: whole, "ratio": round(whole / coded, 1)})
