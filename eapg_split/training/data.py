"""Training examples, rendered as they are needed.

Rendering is cheap beside a training step but not free: a `Pool` keeps what was rendered and hands each example out
a few times, always adding new ones.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from eapg_split.eapg.attributes import VALUES, Attributes
from eapg_split.training.captions import mention
from eapg_split.training.world import Scene, render, render_parts, sample_scene

Frames = NDArray[np.uint8]
_WHOLE: Final = 0.7
Example = Mapping[str, NDArray[Any]]  # one rendered example: arrays of several types, by name


def codes_of(attributes: Attributes) -> list[int]:
    """Per attribute 1 + the index of its value, 0 where it is not said."""
    said = [(f.name, getattr(attributes, f.name)) for f in fields(attributes)]
    return [0 if value is None else VALUES[name].index(value) + 1 for name, value in said]


@dataclass(slots=True)
class Pool:
    """Keeps up to `capacity` examples; every draw first renders `fresh` new ones."""

    make: Callable[[int], Example]
    capacity: int
    fresh: int
    seed: int
    made: int = 0

    def batches(self, size: int) -> Iterator[list[Example]]:
        kept: list[Example] = []
        rng = random.Random(self.seed)
        while True:
            for _ in range(max(self.fresh, size - len(kept))):
                example = self.make(self.seed + self.made)
                self.made += 1
                if len(kept) < self.capacity:
                    kept.append(example)
                else:
                    kept[rng.randrange(self.capacity)] = example
            yield rng.sample(kept, size)


def to_signed(frames: Tensor) -> Tensor:
    """uint8 to float in [-1, 1]."""
    return frames.float() / 127.5 - 1


def stack(batch: list[Example], key: str) -> Tensor:
    return torch.from_numpy(np.stack([example[key] for example in batch]))


def pack_light(frames: Tensor, time_patch: int) -> Tensor:
    """(B, T, H, W, 3) to (B, 3*p*16, T/p, H/4, W/4), channel order (colour, dt, dy, dx)."""
    b, t, h, w, c = frames.shape
    p = time_patch
    x = frames.reshape(b, t // p, p, h // 4, 4, w // 4, 4, c).permute(0, 7, 2, 4, 6, 1, 3, 5)
    return x.reshape(b, c * p * 16, t // p, h // 4, w // 4).contiguous()


def even(x: Tensor, patch: int = 1) -> Tensor:
    """Repeats the last row and column of (B, C, T, H, W) until both are multiples of 2 * patch."""
    h, w = x.shape[-2:]
    unit = 2 * patch
    if h % unit:
        x = torch.cat([x, x[..., -1:, :].expand(*x.shape[:-2], -h % unit, w)], dim=-2)
    if w % unit:
        x = torch.cat([x, x[..., -1:].expand(*x.shape[:-1], -w % unit)], dim=-1)
    return x


def upsample(
    frames: Tensor, times: NDArray[np.float64], wanted: NDArray[np.float64], size: tuple[int, int]
) -> Tensor:
    """(B, T, H, W, 3) at `times` to `wanted` times and (height, width): linear in time, bilinear in space."""
    place = np.interp(wanted, times, np.arange(len(times)))
    low = np.floor(place).astype(np.int64).clip(0, max(len(times) - 2, 0))
    share = torch.from_numpy((place - low).astype(np.float32)).reshape(1, -1, 1, 1, 1)
    high = np.minimum(low + 1, len(times) - 1)
    b, _, h, w, c = frames.shape
    small = frames.permute(0, 1, 4, 2, 3).reshape(-1, c, h, w)
    big = F.interpolate(small, size=size, mode="bilinear", align_corners=False)
    big = big.reshape(b, -1, c, *size).permute(0, 1, 3, 4, 2)
    return big[:, low] * (1 - share) + big[:, high] * share


def _scene(seed: int, duration_s: float = 5.0) -> tuple[Scene, list[int]]:
    scene = sample_scene(Attributes(), seed, duration_s=duration_s)
    rng = random.Random(f"mention-{seed}")
    # most examples say everything, as a completed prompt does: what is said need not be guessed
    said = scene.attributes if rng.random() < _WHOLE else mention(scene.attributes, rng)
    return scene, codes_of(said)


def key_frames(seed: int) -> Example:
    """Stage 1: six frames at 1 FPS, 64x36, and where the subject is in them."""
    scene, codes = _scene(seed)
    masks = [render_parts(scene, float(t), 64, 36) >= scene.subject.start for t in range(6)]
    return {
        "frames": render(scene, list(range(6)), 64, 36), "subject": np.stack(masks), "codes": np.array(codes)
    }  # fmt: skip


def early_window(seed: int) -> Example:
    """Stage 2: sixteen frames at 6 FPS, 128x72, and the key frames around them."""
    scene, codes = _scene(seed)
    start = random.Random(f"window-{seed}").randrange(5) * 4
    wanted = (start + np.arange(16)) / 6
    times = np.arange(np.floor(wanted[0]), min(np.ceil(wanted[-1]), 5) + 1)
    # the clip's padded end repeats its last frame
    wanted = wanted.clip(max=5.0)
    return {
        "frames": render(scene, list(wanted), 128, 72),
        "keys": upsampled_keys(render(scene, list(times), 64, 36), times, wanted),
        "codes": np.array(codes),
    }


def upsampled_keys(keys: Frames, times: NDArray[np.float64], wanted: NDArray[np.float64]) -> Frames:
    up = upsample(torch.from_numpy(keys)[None].float(), times, wanted, (72, 128))
    return np.asarray(up[0].round().clamp(0, 255).numpy().astype(np.uint8))


def block_pairs(seed: int) -> Example:
    """Autoencoder: crops (6, 8, 64, 64, 3) of eight frames at 12 or 24 FPS from 256 to 768 px wide renders."""
    scene, _ = _scene(seed)
    rng = random.Random(f"crops-{seed}")
    width, fps = rng.choice(((256, 12), (256, 12), (512, 24), (512, 24), (768, 24)))
    height = width * 9 // 16
    start = rng.uniform(0, 4)
    frames = render(scene, [start + i / fps for i in range(8)], width, height)
    crops = []
    for _ in range(6):
        y, x = rng.randrange(height - 63), rng.randrange(width - 63)
        crops.append(frames[:, y : y + 64, x : x + 64])
    return {"frames": np.stack(crops)}
