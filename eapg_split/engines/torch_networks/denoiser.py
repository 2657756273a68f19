"""The denoising experts: (2+1)D U-shaped hybrids of convolutions and, at the coarsest level, attention.

After equal CPU time a plain patch transformer shattered objects that such a net drew whole.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eapg_split.eapg.attributes import VALUES
from eapg_split.eapg.networks import TEXT_WIDTH
from eapg_split.engines.torch_networks.blocks import (
    AttentionBlock,
    Modulation,
    ResidualBlock,
    conv_last,
    fourier,
    zeroed,
)


@dataclass(frozen=True, slots=True)
class DenoiserConfig:
    """Sizes of one denoiser.

    `widths` are the channels of its levels, finest first; each level halves the grid of the one before. A latent
    is folded into `fold` x `fold` tokens first, or unfolded into `unfold` x `unfold` pixels: light latents are
    only rearranged pixels, and convolutions draw better on pixels than on patches.
    """

    latent: int
    widths: tuple[int, ...]
    condition: int = 192
    coarse_blocks: int = 2
    attention_blocks: int = 0
    fold: int = 1
    unfold: int = 1
    source: bool = False
    text: bool = False
    anchors: tuple[float, float, float] = (0.0, 0.0, 0.0)  # weights of the row, column and frame coordinates
    clock: bool = (
        False  # whether the conditioning differs by frame: only a network that sees whole clips can tell
    )


def clip_places(frames: int, device: torch.device) -> Tensor:
    """(T,): where each frame of a whole clip lies, from -1 (its first) to 1 (its last); 0 for a single image."""
    place = torch.arange(frames, device=device).float()
    place = place - place.mean()
    return place / place[-1:].clamp(min=1.0)


class Denoiser(nn.Module):
    """Predicts the clean latent: forward(x_t, t, clean_up, text, level) -> xhat, all (B, C, T, H, W).

    The finest grid must halve evenly at every level: callers repeat the edge of odd latents and crop the answer.
    t (B,) in [0, 1]; clean_up like x_t (None where the config has no source); text (B, K, D) or None; level (B,)
    is the stage's noise weight sigma. `when` (B, T) places frames in their clip (see `clip_places`) where the input
    is not a whole clip.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = c = config
        tokens = c.latent * c.fold * c.fold // (c.unfold * c.unfold)
        finest, coarsest = c.widths[0], c.widths[-1]
        self.moment = nn.Linear(64, c.condition)
        if c.text:
            self.caption = nn.Linear(len(VALUES) * TEXT_WIDTH, c.condition)
        if c.clock:
            self.clock = zeroed(nn.Linear(32, c.condition))
            self.heading = zeroed(nn.Linear(len(VALUES) * TEXT_WIDTH, c.condition))
        self.condition = nn.Linear(c.condition, c.condition)
        # wide inputs already see a neighbourhood (a 4x4x4 block): mixing channels is enough there
        kernel = 1 if tokens > 100 else 3
        self.stem = nn.Conv2d(tokens * (2 if c.source else 1) + 3, finest, kernel, padding=kernel // 2)
        pairs = list(zip(c.widths[:-1], c.widths[1:], strict=True))
        self.down = nn.ModuleList(ResidualBlock(fine, fine, c.condition) for fine, _ in pairs)
        self.shrink = nn.ModuleList(nn.Linear(4 * fine, coarse) for fine, coarse in pairs)
        self.place = nn.Linear(96, coarsest)
        self.middle = nn.ModuleList()
        for i in range(max(c.coarse_blocks, c.attention_blocks)):
            if i < c.coarse_blocks:
                self.middle.append(ResidualBlock(coarsest, coarsest, c.condition))
            if i < c.attention_blocks:
                self.middle.append(AttentionBlock(coarsest, c.condition))
        self.grow = nn.ModuleList(nn.Linear(coarse, 4 * fine) for fine, coarse in pairs)
        self.up = nn.ModuleList(ResidualBlock(2 * fine, fine, c.condition) for fine, _ in pairs)
        self.leave = Modulation(c.condition, finest)
        self.head = zeroed(nn.Conv2d(finest, tokens, kernel, padding=kernel // 2))

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
        """(B, C, T, H, W) to the finest grid (B*T, h, w, tokens)."""
        b, c, t, h, w = x.shape
        f, u = self.config.fold, self.config.unfold
        x = x.reshape(b, c // (u * u), u, u, t, h // f, f, w // f, f).permute(0, 4, 5, 2, 7, 3, 1, 6, 8)
        return x.reshape(b * t, h * u // f, w * u // f, c * f * f // (u * u))

    def _latent(self, x: Tensor, clips: int) -> Tensor:
        """The inverse of `_tokens`."""
        n, h, w, c = x.shape
        f, u = self.config.fold, self.config.unfold
        x = x.reshape(clips, n // clips, h // u, u, w // u, u, c // (f * f), f, f).permute(
            0, 6, 3, 5, 1, 2, 7, 4, 8
        )
        return x.reshape(clips, c * u * u // (f * f), n // clips, h * f // u, w * f // u)

    def _body(self, x: Tensor, condition: Tensor, frames: int) -> Tensor:
        skips = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            x = block(x, condition, frames)
            skips.append(x)
            n, h, w, c = x.shape
            halves = x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5)
            x = shrink(halves.reshape(n, h // 2, w // 2, 4 * c))
        n, h, w, _ = x.shape
        where = fourier(self._coordinates(n // frames, frames, h, w, x), 32, highest=4.0)
        x = x + self.place(where.reshape(n, h, w, 96).to(x.dtype))
        for block in self.middle:
            x = block(x, condition, frames)
        for block, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            fine = skips.pop()
            n, h, w, c = fine.shape
            grown = grow(x).reshape(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
            x = block(torch.cat([fine, grown], dim=-1), condition, frames)
        return x

    def _conditioning(
        self, t: Tensor, text: Tensor | None, level: Tensor, frames: int, when: Tensor | None
    ) -> Tensor:
        """(B, D), or (B*T, D) where the network has a clock: "to the right" means another place in every frame."""
        moment = torch.cat([fourier(t, 48, highest=16.0), fourier(level, 16, highest=4.0)], dim=-1)
        condition = self.moment(moment)
        if self.config.text and text is not None:
            condition = condition + self.caption(text.flatten(1))
        if self.config.clock:
            place = clip_places(frames, t.device)[None] if when is None else when
            ticks = self.clock(fourier(place, 32, highest=2.0))
            if text is not None:
                # a product, for left and right are the same places in the opposite order
                ticks = ticks * (1 + self.heading(text.flatten(1)))[:, None]
            condition = (condition[:, None] + ticks).flatten(0, 1)
        return F.silu(self.condition(F.silu(condition)))

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        clean_up: Tensor | None,
        text: Tensor | None,
        level: Tensor,
        when: Tensor | None = None,
    ) -> Tensor:
        clips, frames = x.shape[0], x.shape[2]
        condition = self._conditioning(t, text, level, frames, when)
        parts = [self._tokens(x)]
        if self.config.source and clean_up is not None:
            parts.append(self._tokens(clean_up))
        h, w = parts[0].shape[1:3]
        parts.append(self._coordinates(clips, frames, h, w, x))
        y = self._body(conv_last(self.stem, torch.cat(parts, dim=-1)), condition, frames)
        delta = self._latent(conv_last(self.head, F.silu(self.leave(y, condition))), clips)
        # with a source, what is left to learn is the correction of the upsampled clip
        return delta + clean_up if self.config.source and clean_up is not None else delta


STAGE1 = DenoiserConfig(
    latent=48, widths=(48, 96, 192), coarse_blocks=2, attention_blocks=3, unfold=2, text=True,
    anchors=(1.0, 1.0, 1.0), clock=True,
)  # fmt: skip
STAGE2 = DenoiserConfig(
    latent=192, widths=(96, 160), coarse_blocks=2, attention_blocks=1, source=True, text=True,
    anchors=(1.0, 1.0, 0.0),
)  # fmt: skip
LOW = DenoiserConfig(latent=12, widths=(64, 96), coarse_blocks=2, fold=2, source=True)
