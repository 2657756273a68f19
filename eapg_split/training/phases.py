"""What each phase of the recipe learns: its batches and its loss.

Formulas: early-exit pyramid rectified flow with clean hand-offs. S = s*up + sigma*n, x_t = (1-t) S + t x,
the network predicts x, and the squared error is weighted by min(1/(1-t)^2, cap).
"""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eapg_split.eapg import schedule
from eapg_split.eapg.attributes import Attributes
from eapg_split.eapg.completion import joined, phrase, usual
from eapg_split.eapg.prompt import tokens_of
from eapg_split.engines.torch_networks.denoiser import Denoiser, clip_places
from eapg_split.engines.torch_networks.text_encoder import TextEncoder
from eapg_split.training import data
from eapg_split.training.captions import caption, mention
from eapg_split.training.world import complete

SIGMA: Final = dict(enumerate(schedule.SIGMA, start=1))  # noise weight at the start of each stage
_DROP: Final = 0.1
_WEIGHT_CAP: Final = 16.0
_FIRST_SHARE: Final = (
    0.3  # of stage 1's examples are drawn before this moment: there only the text says where to go
)
_FIRST_MOMENTS: Final = 0.15
# Extra weight of the subject, which is small and what people look at. It teaches single images fast, but draws the
# subject where it only might be; clips, which come later, get little of it.
_SUBJECT_IN_IMAGES: Final = 2.0
_SUBJECT_IN_CLIPS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """What a denoiser learns from: the clean latent, its source (or None), the mentioned attributes or None.

    `weight` is broadcast against the squared error and says which elements matter more; `when` (B, T) places
    frames in their clip where `clean` is not a whole one.
    """

    clean: Tensor
    up: Tensor | None
    codes: Tensor | None
    weight: Tensor | None = None
    when: Tensor | None = None


def flow_loss(net: Denoiser, example: Example, text: Tensor | None, sigma: Tensor, t: Tensor) -> Tensor:
    """Weighted error of the clean prediction at moment t; `sigma` (B,) is the noise weight of the stage's start."""
    shape = (-1, 1, 1, 1, 1)
    clean = example.clean
    start = torch.randn_like(clean) * sigma.reshape(shape)
    if example.up is not None:
        start = start + example.up * (1 - sigma).reshape(shape)
    now = t.reshape(shape)
    predicted = net((1 - now) * start + now * clean, t, example.up, text, sigma, example.when)
    error = (predicted - clean).square()
    if example.weight is not None:
        error = error * example.weight
    moment = (1 / (1 - t).clamp(min=1e-3) ** 2).clamp(max=_WEIGHT_CAP)
    return (error.mean((1, 2, 3, 4)) * moment).mean()


def _text(encoder: TextEncoder, example: Example) -> Tensor:
    """Embeddings of the mentioned attributes; one caption in ten is dropped for guidance."""
    assert example.codes is not None
    kept = torch.rand(len(example.codes), 1, device=example.codes.device) >= _DROP
    return encoder.exact(example.codes * kept)


def layout_moment(size: int) -> Tensor:
    """Moments of stage 1: most of them early, where the layout is decided, and many where all is still noise."""
    usual = torch.sigmoid(torch.randn(size) * 1.2 - 1.0)
    return torch.where(torch.rand(size) < _FIRST_SHARE, torch.rand(size) * _FIRST_MOMENTS, usual)


def _packed(
    frames: Tensor, subject: Tensor, codes: Tensor, *, extra: float, when: Tensor | None = None
) -> Example:
    """Frames (B, T, H, W, 3) and subject masks (B, T, H, W) as an example for stage 1."""
    weight = 1 + extra * subject[..., None].float().expand(*subject.shape, 3)
    clean = data.even(data.pack_light(data.to_signed(frames), 1))
    return Example(clean, None, codes, data.even(data.pack_light(weight, 1)), when)


def image_batches(seed: int, size: int) -> Iterator[Example]:
    """Single key frames for stage 1: (B, 48, 1, 10, 16)."""
    pool = data.Pool(data.key_frames, capacity=20_000, fresh=max(1, size // 8), seed=seed)
    for batch in pool.batches(size):
        pick = torch.randint(6, (size,))
        rows = torch.arange(size)
        frames, subject = (data.stack(batch, key)[rows, pick][:, None] for key in ("frames", "subject"))
        when = clip_places(6, pick.device)[pick][:, None]
        yield _packed(frames, subject, data.stack(batch, "codes"), extra=_SUBJECT_IN_IMAGES, when=when)


def key_frame_batches(seed: int, size: int) -> Iterator[Example]:
    """Clips of six key frames for stage 1: (B, 48, 6, 10, 16)."""
    pool = data.Pool(data.key_frames, capacity=20_000, fresh=max(1, size // 3), seed=seed)
    for batch in pool.batches(size):
        frames, subject, codes = (data.stack(batch, key) for key in ("frames", "subject", "codes"))
        yield _packed(frames, subject, codes, extra=_SUBJECT_IN_CLIPS)


def stage1_loss(net: Denoiser, encoder: TextEncoder, example: Example) -> Tensor:
    device, size = example.clean.device, len(example.clean)
    sigma, t = torch.ones(size, device=device), layout_moment(size).to(device)
    return flow_loss(net, example, _text(encoder, example), sigma, t)


def early_batches(seed: int, size: int) -> Iterator[Example]:
    """Windows for stage 2; their upsampled key frames are a little damaged, as generated ones are."""
    pool = data.Pool(data.early_window, capacity=6_000, fresh=max(1, size // 4), seed=seed)
    for batch in pool.batches(size):
        clean = data.to_signed(data.stack(batch, "frames"))
        keys = data.to_signed(data.stack(batch, "keys"))
        keys = keys + torch.randn_like(keys) * torch.rand(size, 1, 1, 1, 1) * 0.12
        packed = [data.even(data.pack_light(frames, 4)) for frames in (clean, keys)]
        yield Example(packed[0], packed[1], data.stack(batch, "codes"))


def stage2_loss(net: Denoiser, encoder: TextEncoder, example: Example) -> Tensor:
    t = torch.rand(len(example.clean), device=example.clean.device)
    return flow_loss(net, example, _text(encoder, example), torch.full_like(t, SIGMA[2]), t)


def _prompt(rng: random.Random) -> tuple[str, Attributes]:
    """A text and what it says: nothing, a caption, or a caption that was completed as prompts are."""
    if rng.random() < 0.05:
        return "", Attributes()
    said = mention(complete(Attributes(), rng), rng)
    text = caption(said, rng)
    if rng.random() < 0.4:
        return text, said
    assumed = usual(said, rng.getrandbits(32))
    whole = {name: value or getattr(said, name) for name, value in asdict(assumed).items()}
    return joined(text, phrase(assumed)), Attributes(**whole)


def caption_batches(seed: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Captions as bytes (B, 160) and what they say (B, K)."""
    rng = random.Random(seed)
    while True:
        rows, codes = [], []
        for _ in range(size):
            text, said = _prompt(rng)
            rows.append(tokens_of(text))
            codes.append(data.codes_of(said))
        yield torch.from_numpy(np.stack(rows)), torch.tensor(codes)


def text_loss(encoder: TextEncoder, batch: tuple[Tensor, Tensor]) -> Tensor:
    tokens, codes = batch
    return torch.stack(
        [F.cross_entropy(logit, codes[:, i]) for i, logit in enumerate(encoder.logits(tokens))]
    ).mean()
