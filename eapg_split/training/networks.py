"""The trained networks in torch: text encoder, the denoising experts, and the 64x causal video autoencoder.

The denoisers are (2+1)D U-shaped hybrids: convolutions at the fine level, attention over all tokens at the
coarse one. After equal CPU time a plain patch transformer shattered objects that such a net drew whole.
Activations are kept channels-last, (B*T, H, W, C), which is twice as fast as channels-first on CPUs.
Normalisation is per position, so that windows and crops of a latent see the same statistics as the whole.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eapg_split.eapg.attributes import VALUES
from eapg_split.eapg.prompt import TEXT_BYTES

TEXT_DIM = 48
ATTRIBUTES = tuple(VALUES)


def _zero(module: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Zero-initialised, so that a residual branch starts as the identity."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def _conv(module: nn.Conv2d, x: Tensor) -> Tensor:
    """A 2D convolution on channels-last activations (N, H, W, C)."""
    return module(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def fourier(value: Tensor, dim: int, *, highest: float) -> Tensor:
    """Sine and cosine features (..., dim) of a number of order one, up to `highest` periods per unit."""
    rates = torch.exp(torch.linspace(math.log(0.25), math.log(highest), dim // 2, device=value.device))
    angle = 2 * math.pi * value[..., None].float() * rates
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class Modulation(nn.Module):
    """Scale and shift of normalised activations from the conditioning vector (one per clip)."""

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.project = _zero(nn.Linear(condition, 2 * channels))
        self.norm = nn.LayerNorm(channels, elementwise_affine=False, eps=1e-5)

    def forward(self, x: Tensor, condition: Tensor, frames: int) -> Tensor:
        scale, shift = self.project(condition).chunk(2, dim=-1)
        n, h, w, c = x.shape
        shaped = self.norm(x).reshape(n // frames, frames * h * w, c)
        return (shaped * (1 + scale[:, None]) + shift[:, None]).reshape(n, h, w, c)


class TimeMix(nn.Module):
    """Three-tap convolution over time: one matrix product, then shifted sums."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.taps = _zero(nn.Linear(channels, 3 * channels))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        n, h, w, c = x.shape
        before, here, after = self.taps(x).reshape(n // frames, frames, h, w, 3 * c).chunk(3, dim=-1)
        # the ends repeat themselves, so that a still clip looks the same at its ends as in its middle
        late = torch.cat([before[:, :1], before[:, :-1]], dim=1)
        early = torch.cat([after[:, 1:], after[:, -1:]], dim=1)
        return x + (late + here + early).reshape(n, h, w, c)


class ResidualBlock(nn.Module):
    def __init__(self, channels_in: int, channels: int, condition: int) -> None:
        super().__init__()
        self.enter = Modulation(condition, channels_in)
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.middle = Modulation(condition, channels)
        self.second = _zero(nn.Conv2d(channels, channels, 3, padding=1))
        self.skip = nn.Linear(channels_in, channels) if channels_in != channels else nn.Identity()
        self.time = TimeMix(channels)

    def forward(self, x: Tensor, condition: Tensor, frames: int) -> Tensor:
        y = _conv(self.first, F.silu(self.enter(x, condition, frames)))
        y = _conv(self.second, F.silu(self.middle(y, condition, frames)))
        return self.time(self.skip(x) + y, frames)


class AttentionBlock(nn.Module):
    """Attention over all tokens of the clip, then a gated feed-forward layer."""

    def __init__(self, channels: int, condition: int, *, head: int = 32) -> None:
        super().__init__()
        self.head = head
        self.enter = Modulation(condition, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = _zero(nn.Linear(channels, channels))
        self.middle = Modulation(condition, channels)
        self.widen = nn.Linear(channels, 3 * channels)
        self.narrow = _zero(nn.Linear(3 * channels, channels))

    def forward(self, x: Tensor, condition: Tensor, frames: int) -> Tensor:
        n, h, w, c = x.shape
        clips, tokens, heads = n // frames, frames * h * w, c // self.head
        qkv = self.qkv(self.enter(x, condition, frames)).reshape(clips, tokens, 3, heads, self.head)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h, w, c)
        x = x + self.out(mixed)
        return x + self.narrow(F.silu(self.widen(self.middle(x, condition, frames))))


@dataclass(frozen=True, slots=True)
class DenoiserConfig:
    """Sizes of one denoiser; `source` adds the clean upsampled latent to the input."""

    latent: int
    fine: int
    coarse: int
    condition: int = 192
    fine_blocks: int = 1
    coarse_blocks: int = 2
    attention_blocks: int = 0
    patch: int = 1
    source: bool = False
    text: bool = False
    anchors: tuple[float, float, float] = (0.0, 0.0, 0.0)  # weights of the row, column and frame coordinates


class Denoiser(nn.Module):
    """Predicts the clean latent: forward(x_t, t, clean_up, text, level) -> xhat, all (B, C, T, H, W).

    H and W must be multiples of 2 * patch: callers repeat the edge of odd grids and crop the answer.
    t (B,) in [0, 1]; clean_up like x_t (zeros where the config has no source); text (B, K, D) or None; level (B,)
    is the stage's noise weight sigma.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = c = config
        tokens = c.latent * c.patch * c.patch
        self.moment = nn.Linear(64, c.condition)
        if c.text:
            self.caption = nn.Linear(len(ATTRIBUTES) * TEXT_DIM, c.condition)
        self.condition = nn.Linear(c.condition, c.condition)
        # wide inputs already see a neighbourhood (a 4x4x4 block): mixing channels is enough there
        kernel = 1 if tokens > 100 else 3
        self.stem = nn.Conv2d(tokens * (2 if c.source else 1) + 3, c.fine, kernel, padding=kernel // 2)
        self.down = nn.ModuleList(ResidualBlock(c.fine, c.fine, c.condition) for _ in range(c.fine_blocks))
        self.shrink = nn.Linear(4 * c.fine, c.coarse)
        self.place = nn.Linear(96, c.coarse)
        self.middle = nn.ModuleList()
        for i in range(max(c.coarse_blocks, c.attention_blocks)):
            if i < c.coarse_blocks:
                self.middle.append(ResidualBlock(c.coarse, c.coarse, c.condition))
            if i < c.attention_blocks:
                self.middle.append(AttentionBlock(c.coarse, c.condition))
        self.grow = nn.Linear(c.coarse, 4 * c.fine)
        self.join = ResidualBlock(2 * c.fine, c.fine, c.condition)
        self.up = nn.ModuleList(ResidualBlock(c.fine, c.fine, c.condition) for _ in range(c.fine_blocks - 1))
        self.leave = Modulation(c.condition, c.fine)
        self.head = _zero(nn.Conv2d(c.fine, tokens, kernel, padding=kernel // 2))

    def _coordinates(self, clips: int, frames: int, h: int, w: int, like: Tensor) -> Tensor:
        """(N, h, w, 3): row, column in [-1, 1], and frame number / 8, so that layouts have an anchor.

        Networks that are trained on crops see zeros instead of what a crop cannot know.
        """
        row, column, frame = self.config.anchors
        y = ((torch.arange(h, device=like.device) * 2 + 1) / h - 1) * row
        x = ((torch.arange(w, device=like.device) * 2 + 1) / w - 1) * column
        z = torch.arange(frames, device=like.device) / 8 * frame
        grid = torch.stack(
            [
                y.reshape(1, h, 1).expand(frames, h, w),
                x.reshape(1, 1, w).expand(frames, h, w),
                z.reshape(frames, 1, 1).expand(frames, h, w),
            ],
            dim=-1,
        )
        return grid.to(like.dtype).repeat(clips, 1, 1, 1)

    def _tokens(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B*T, H/p, W/p, C*p*p)."""
        b, c, t, h, w = x.shape
        p = self.config.patch
        x = x.reshape(b, c, t, h // p, p, w // p, p).permute(0, 2, 3, 5, 1, 4, 6)
        return x.reshape(b * t, h // p, w // p, c * p * p)

    def _latent(self, x: Tensor, clips: int) -> Tensor:
        n, h, w, c = x.shape
        p = self.config.patch
        x = x.reshape(clips, n // clips, h, w, c // (p * p), p, p).permute(0, 4, 1, 2, 5, 3, 6)
        return x.reshape(clips, c // (p * p), n // clips, h * p, w * p)

    def _body(self, x: Tensor, condition: Tensor, frames: int) -> Tensor:
        for block in self.down:
            x = block(x, condition, frames)
        n, h, w, c = x.shape
        halves = x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5)
        y = self.shrink(halves.reshape(n, h // 2, w // 2, 4 * c))
        where = fourier(self._coordinates(n // frames, frames, h // 2, w // 2, x), 32, highest=4.0)
        y = y + self.place(where.reshape(n, h // 2, w // 2, 96).to(y.dtype))
        for block in self.middle:
            y = block(y, condition, frames)
        grown = self.grow(y).reshape(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        x = self.join(torch.cat([x, grown], dim=-1), condition, frames)
        for block in self.up:
            x = block(x, condition, frames)
        return x

    def forward(
        self, x: Tensor, t: Tensor, clean_up: Tensor | None, text: Tensor | None, level: Tensor
    ) -> Tensor:
        clips, frames = x.shape[0], x.shape[2]
        moment = torch.cat([fourier(t, 48, highest=16.0), fourier(level, 16, highest=4.0)], dim=-1)
        condition = self.moment(moment.to(x.dtype))
        if self.config.text and text is not None:
            condition = condition + self.caption(text.flatten(1))
        condition = F.silu(self.condition(F.silu(condition)))
        parts = [self._tokens(x)]
        if self.config.source and clean_up is not None:
            parts.append(self._tokens(clean_up))
        h, w = parts[0].shape[1:3]
        parts.append(self._coordinates(clips, frames, h, w, x))
        y = self._body(_conv(self.stem, torch.cat(parts, dim=-1)), condition, frames)
        delta = self._latent(_conv(self.head, F.silu(self.leave(y, condition, frames))), clips)
        # with a source, what is left to learn is the correction of the upsampled clip
        return delta + clean_up if self.config.source and clean_up is not None else delta


class ReadingBlock(nn.Module):
    """Attention over the bytes of a prompt, then a feed-forward layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.middle = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = (p.transpose(1, 2) for p in self.qkv(self.enter(x)).reshape(b, n, 3, 4, c // 4).unbind(2))
        score = (q * (c // 4) ** -0.5) @ k.transpose(2, 3) + bias[:, None, None]
        x = x + self.out((score.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))
        return x + self.narrow(F.gelu(self.widen(self.middle(x))))


class TextEncoder(nn.Module):
    """Bytes of a prompt to one vector per attribute: forward(tokens) -> (B, K, D).

    tokens (B, 160) int64 are bytes + 1, 0 is padding. Every attribute has learnt value vectors and one for "not
    said"; what comes out is their mean under the attribute's predicted probabilities, so that the experts see a
    closed vocabulary however a prompt is phrased.
    """

    def __init__(self, width: int = 128, layers: int = 3) -> None:
        super().__init__()
        self.embed = nn.Embedding(257, width, padding_idx=0)
        self.local = nn.Conv1d(width, width, 5, padding=2)
        self.position = nn.Parameter(torch.randn(TEXT_BYTES, width) * 0.02)
        self.layers = nn.ModuleList(ReadingBlock(width) for _ in range(layers))
        self.queries = nn.Parameter(torch.randn(len(ATTRIBUTES), width) * 0.1)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.heads = nn.ModuleList(nn.Linear(width, len(VALUES[name]) + 1) for name in ATTRIBUTES)
        # fixed, well separated value vectors: the experts learn what they mean, and every phase of the recipe
        # can run on its own because no phase moves them
        draw = torch.Generator().manual_seed(20)
        for name in ATTRIBUTES:
            self.register_buffer(f"table_{name}", torch.randn(len(VALUES[name]) + 1, TEXT_DIM, generator=draw))

    def logits(self, tokens: Tensor) -> list[Tensor]:
        """Per attribute (B, values + 1); index 0 means "not said"."""
        hidden = tokens == 0
        x = self.embed(tokens)
        x = x + F.gelu(self.local(x.transpose(1, 2)).transpose(1, 2)) + self.position
        # additive mask: an empty prompt has every key masked equally and so stays finite
        bias = hidden.to(x.dtype) * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        score = (self.queries @ self.key(x).transpose(1, 2)) / x.shape[-1] ** 0.5 + bias[:, None]
        pooled = score.softmax(-1) @ self.value(x)
        return [head(pooled[:, i]) for i, head in enumerate(self.heads)]

    def lookup(self, probabilities: list[Tensor]) -> Tensor:
        tables = [self.get_buffer(f"table_{name}") for name in ATTRIBUTES]
        return torch.stack([p @ table for p, table in zip(probabilities, tables, strict=True)], dim=1)

    def exact(self, codes: Tensor) -> Tensor:
        """What a perfectly read caption gives: codes (B, K) int64, 0 = not said, to (B, K, D)."""
        tables = [self.get_buffer(f"table_{name}") for name in ATTRIBUTES]
        return torch.stack([table[codes[:, i]] for i, table in enumerate(tables)], dim=1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.lookup([logit.softmax(-1) for logit in self.logits(tokens)])


class VideoEncoder(nn.Module):
    """One causal block of four frames (B, 4, H, W, 3) in [-1, 1] to a latent (B, 12, H/8, W/8).

    A linear map (principal components of 4x8x8 blocks) plus a learnt correction.
    """

    def __init__(self, latent: int = 12, width: int = 64) -> None:
        super().__init__()
        self.linear = nn.Linear(768, latent)
        self.enter = nn.Conv2d(192, width, 3, padding=1)
        self.down = nn.Conv2d(width, width, 2, stride=2)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.leave = _zero(nn.Conv2d(width, latent, 3, padding=1))

    def forward(self, frames: Tensor) -> Tensor:
        b, t, h, w, c = frames.shape
        blocks = frames.reshape(b, t, h // 8, 8, w // 8, 8, c).permute(0, 2, 4, 1, 3, 5, 6).reshape(b, h // 8, w // 8, -1)
        quads = frames.reshape(b, t, h // 4, 4, w // 4, 4, c).permute(0, 2, 4, 1, 3, 5, 6).reshape(b, h // 4, w // 4, -1)
        y = F.silu(_conv(self.down, F.silu(_conv(self.enter, quads))))
        y = F.silu(_conv(self.mix, y)) + y
        return (self.linear(blocks) + _conv(self.leave, y)).permute(0, 3, 1, 2)


class VideoDecoder(nn.Module):
    """A latent and the one before it, both (B, 12, h, w), to four frames (B, 4, 8h, 8w, 3) in [-1, 1].

    Seeing exactly one earlier latent keeps decoding causal and streamable with no other cache.
    """

    def __init__(self, latent: int = 12, width: int = 96, fine: int = 48) -> None:
        super().__init__()
        self.linear = nn.Linear(latent, 768)
        self.stem = nn.Conv2d(2 * latent, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), _zero(nn.Conv2d(width, width, 3, padding=1))
            )
            for _ in range(3)
        )
        self.grow = nn.Conv2d(width, 4 * fine, 3, padding=1)
        self.fine = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(fine, fine, 3, padding=1), nn.SiLU(), _zero(nn.Conv2d(fine, fine, 3, padding=1))
            )
            for _ in range(2)
        )
        self.head = _zero(nn.Conv2d(fine, 192, 3, padding=1))

    def forward(self, latent: Tensor, previous: Tensor) -> Tensor:
        b, _, h, w = latent.shape
        base = self.linear(latent.permute(0, 2, 3, 1)).reshape(b, h, w, 4, 8, 8, 3)
        base = base.permute(0, 3, 1, 4, 2, 5, 6).reshape(b, 4, 8 * h, 8 * w, 3)
        y = self.stem(torch.cat([latent, previous], dim=1))
        for block in self.blocks:
            y = y + block(F.silu(y))
        y = F.pixel_shuffle(self.grow(F.silu(y)), 2)
        for block in self.fine:
            y = y + block(F.silu(y))
        detail = self.head(F.silu(y))
        detail = detail.reshape(b, 4, 3, 4, 4, 2 * h, 2 * w).permute(0, 1, 5, 3, 6, 4, 2)
        return base + detail.reshape(b, 4, 8 * h, 8 * w, 3)


STAGE1 = DenoiserConfig(
    latent=48, fine=96, coarse=224, fine_blocks=1, coarse_blocks=2, attention_blocks=4, text=True,
    anchors=(1.0, 1.0, 1.0),
)
STAGE2 = DenoiserConfig(
    latent=192, fine=96, coarse=160, fine_blocks=1, coarse_blocks=2, attention_blocks=1, source=True, text=True,
    anchors=(1.0, 1.0, 0.0),
)
LOW = DenoiserConfig(latent=12, fine=64, coarse=96, fine_blocks=1, coarse_blocks=2, patch=2, source=True)
