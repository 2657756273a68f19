"""Trains the low-noise expert (stages 3 and 4): from an upsampled clip to a sharp one at twice the rate and size.

Both stages share one network without text, on crops of latents. Its sources are what the pipeline will give it:
stage 2's clip upsampled and encoded, stage 3's latent decoded, upsampled and encoded again.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from eapg_split.eapg.attributes import Attributes
from eapg_split.engines.torch_networks.denoiser import LOW, Denoiser
from eapg_split.errors import InvalidRequest
from eapg_split.training import data
from eapg_split.training.autoencoder import Autoencoder
from eapg_split.training.loop import Budget, Progress, Trainer, learning_device
from eapg_split.training.phases import SIGMA, Example, flow_loss
from eapg_split.training.world import render, sample_scene

_LATENTS = 7  # of a clip: its first frame four times over, then six blocks of four frames, as in the pipeline
_WINDOW = 5  # of them are used: the first ones, or those from the third on, whose predecessors are true
_FRAMES = 1 + 4 * (_LATENTS - 1)
_OPENING = 0.2  # share of crops that show the beginning of a clip
_CROP = 16
_CROPS = 8


def encode_clip(net: Autoencoder, frames: Tensor) -> Tensor:
    """(1 + 4n, H, W, 3) to (12, 1 + n, H/8, W/8), blocked as the pipeline blocks a clip.

    The blocking matters: upsampled in time, the frames of a block alternate between true and blended ones, and
    the expert has to meet them in the order in which it will be given them.
    """
    blocks = torch.cat([frames[:1].expand(3, *frames.shape[1:]), frames]).reshape(-1, 4, *frames.shape[1:])
    return net.encoder(blocks).permute(1, 0, 2, 3)


def decode_clip(net: Autoencoder, latent: Tensor) -> Tensor:
    """(12, 1 + n, h, w) to (1 + 4n, 8h, 8w, 3), the inverse of `encode_clip`."""
    ordered = latent.permute(1, 0, 2, 3)
    before = torch.cat([ordered[:1], ordered[:-1]])
    frames = net.decoder(ordered, before)
    return frames.reshape(-1, *frames.shape[2:])[3:]


def doubled(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """(n, H, W, 3) to (2n - 1, *size, 3): twice the rate over the same time."""
    times = np.arange(len(frames), dtype=np.float64)
    return data.upsample(frames[None], times, np.arange(2 * len(frames) - 1) / 2, size)[0]


@torch.no_grad()
def late_window(net: Autoencoder, seed: int) -> data.Example:
    """Random crops (n, 12, 5, 16, 16) of the clean latent and of its source, for stage 3 or 4."""
    rng = random.Random(f"late-{seed}")
    scene = sample_scene(Attributes(), seed)
    stage = rng.choice((3, 4))
    fps, width, height = (12, 256, 144) if stage == 3 else (24, 512, 288)
    begun = rng.uniform(0, 5 - _FRAMES / fps)
    times = begun + np.arange(_FRAMES) / fps
    clean = data.to_signed(torch.from_numpy(render(scene, list(times), width, height)))
    coarse_times = list(times[::2])
    coarse = data.to_signed(torch.from_numpy(render(scene, coarse_times, width // 2, height // 2)))
    if stage == 4:
        coarse = decode_clip(net, encode_clip(net, coarse)).clamp(-1, 1)
    else:
        coarse = coarse + torch.randn_like(coarse) * rng.uniform(0, 0.06)
    if rng.random() < 0.15:
        # larger outputs start from a relatively smaller stage 2: rehearse a blurrier source
        small = coarse.permute(0, 3, 1, 2)
        small = F.interpolate(small, scale_factor=0.5, mode="bilinear", align_corners=False, antialias=True)
        coarse = small.permute(0, 2, 3, 1)
    up = encode_clip(net, doubled(coarse, (height, width)))
    target = encode_clip(net, clean)
    rows: dict[str, list[NDArray[np.float16]]] = {"clean": [], "up": []}
    for _ in range(_CROPS):
        y, x = rng.randrange(height // 8 - _CROP + 1), rng.randrange(width // 8 - _CROP + 1)
        first = 0 if rng.random() < _OPENING else _LATENTS - _WINDOW
        here = (slice(None), slice(first, first + _WINDOW), slice(y, y + _CROP), slice(x, x + _CROP))
        for name, latent in (("clean", target), ("up", up)):
            rows[name].append(latent[here].numpy().astype(np.float16))
    found = {name: np.stack(crops) for name, crops in rows.items()}
    return found | {"sigma": np.full(_CROPS, SIGMA[stage], dtype=np.float32)}


def _batches(net: Autoencoder, seed: int, size: int) -> Iterator[tuple[Example, Tensor]]:
    count = max(1, size // 2)
    pool = data.Pool(lambda s: late_window(net, s), capacity=1_500, fresh=1, seed=seed)
    for batch in pool.batches(count):
        picks = [torch.randperm(_CROPS)[:2] for _ in batch]
        rows = [
            torch.cat([torch.from_numpy(b[key])[p].float() for b, p in zip(batch, picks, strict=True)])
            for key in ("clean", "up", "sigma")
        ]
        up = rows[1] + torch.randn_like(rows[1]) * torch.rand(len(rows[1]), 1, 1, 1, 1) * 0.05
        yield Example(rows[0], up, None), rows[2]


def low_loss(net: Denoiser, batch: tuple[Example, Tensor]) -> Tensor:
    example, sigma = batch
    return flow_loss(net, example, None, sigma, torch.rand_like(sigma))


def train_low(folder: Path, budget: Budget, batch: int, seed: int) -> Iterator[Progress]:
    """Runs the phase over the autoencoder that `folder` holds. Raises InvalidRequest without one."""
    if not (folder / "autoencoder.safetensors").exists():
        raise InvalidRequest(f"{folder} has no trained autoencoder: run the phase 'autoencoder' first.")
    codec = Autoencoder()
    Trainer("autoencoder", codec, folder).use_mean()
    net = Denoiser(LOW).to(learning_device())
    trainer = Trainer("low", net, folder)
    first = seed + 700_000 * (1 + trainer.steps)
    return trainer.run(_batches(codec, first, batch), lambda b: low_loss(net, b), batch, budget)
