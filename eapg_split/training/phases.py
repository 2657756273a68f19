"""What each phase of the recipe learns: its batches and its loss.

Formulas: early-exit pyramid rectified flow with clean hand-offs. S = s*up + sigma*n, x_t = (1-t) S + t x,
the network predicts x, and the squared error is weighted by min(1/(1-t)^2, cap).
"""

import random
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eapg_split.eapg.attributes import Attributes
from eapg_split.eapg.prompt import tokens_of
from eapg_split.training import data
from eapg_split.training.captions import caption, mention
from eapg_split.engines.torch_networks.denoiser import Denoiser
from eapg_split.engines.torch_networks.text_encoder import TextEncoder
from eapg_split.training.world import complete

SIGMA: Final = {1: 1.0, 2: 0.5, 3: 0.5, 4: 0.4}
_DROP: Final = 0.1
_WEIGHT_CAP: Final = 16.0


def flow_loss(
    net: Denoiser, clean: Tensor, up: Tensor | None, text: Tensor | None, sigma: Tensor, t: Tensor
) -> Tensor:
    """Weighted error of the clean prediction at moment t; `sigma` (B,) is the noise weight of the stage's start."""
    shape = (-1, 1, 1, 1, 1)
    noise = torch.randn_like(clean)
    start = noise * sigma.reshape(shape)
    if up is not None:
        start = start + up * (1 - sigma).reshape(shape)
    now = t.reshape(shape)
    predicted = net((1 - now) * start + now * clean, t, up, text, sigma)
    weight = (1 / (1 - t).clamp(min=1e-3) ** 2).clamp(max=_WEIGHT_CAP)
    return ((predicted - clean).square().mean((1, 2, 3, 4)) * weight).mean()


def _text(encoder: TextEncoder, codes: Tensor) -> Tensor:
    """Embeddings of the mentioned attributes; one caption in ten is dropped for guidance."""
    kept = torch.rand(len(codes), 1) >= _DROP
    return encoder.exact(codes * kept)


def layout_moment(size: int) -> Tensor:
    """Moments of stage 1: most of them early, where the layout is decided."""
    return torch.sigmoid(torch.randn(size) * 1.1 - 0.6)


def image_batches(seed: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Single key frames for stage 1: (B, 48, 1, 10, 16) and codes."""
    pool = data.Pool(data.key_frames, capacity=20_000, fresh=max(1, size // 8), seed=seed)
    for batch in pool.batches(size):
        frames = data.stack(batch, "frames")
        pick = torch.randint(frames.shape[1], (len(frames),))
        one = data.to_signed(frames[torch.arange(len(frames)), pick])[:, None]
        yield data.even(data.pack_light(one, 1)), data.stack(batch, "codes")


def key_frame_batches(seed: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Clips of six key frames for stage 1."""
    pool = data.Pool(data.key_frames, capacity=20_000, fresh=max(1, size // 3), seed=seed)
    for batch in pool.batches(size):
        frames = data.to_signed(data.stack(batch, "frames"))
        yield data.even(data.pack_light(frames, 1)), data.stack(batch, "codes")


def stage1_loss(net: Denoiser, encoder: TextEncoder, batch: tuple[Tensor, Tensor]) -> Tensor:
    clean, codes = batch
    size = len(clean)
    return flow_loss(net, clean, None, _text(encoder, codes), torch.ones(size), layout_moment(size))


def early_batches(seed: int, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Stage 2: clean windows, the upsampled key frames (a little damaged, as generated ones are), codes."""
    pool = data.Pool(data.early_window, capacity=6_000, fresh=max(1, size // 4), seed=seed)
    for batch in pool.batches(size):
        clean = data.to_signed(data.stack(batch, "frames"))
        keys = data.to_signed(data.stack(batch, "keys"))
        keys = keys + torch.randn_like(keys) * torch.rand(size, 1, 1, 1, 1) * 0.12
        yield (
            data.even(data.pack_light(clean, 4)), data.even(data.pack_light(keys, 4)), data.stack(batch, "codes")
        )  # fmt: skip


def stage2_loss(net: Denoiser, encoder: TextEncoder, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    clean, up, codes = batch
    size = len(clean)
    return flow_loss(net, clean, up, _text(encoder, codes), torch.full((size,), SIGMA[2]), torch.rand(size))


def caption_batches(seed: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Captions as bytes (B, 160) and what they say (B, K)."""
    rng = random.Random(seed)
    while True:
        rows, codes = [], []
        for _ in range(size):
            said = mention(complete(Attributes(), rng), rng) if rng.random() < 0.95 else Attributes()
            rows.append(tokens_of(caption(said, rng) if said != Attributes() else ""))
            codes.append(data.codes_of(said))
        yield torch.from_numpy(np.stack(rows)), torch.tensor(codes)


def text_loss(encoder: TextEncoder, batch: tuple[Tensor, Tensor]) -> Tensor:
    tokens, codes = batch
    return torch.stack(
        [F.cross_entropy(logit, codes[:, i]) for i, logit in enumerate(encoder.logits(tokens))]
    ).mean()
