"""The 64x causal video autoencoder's two halves: 4x8x8 pixels of three colours to twelve numbers and back."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eapg_split.engines.torch_networks.blocks import conv_last, zeroed


def patches(frames: Tensor, side: int) -> Tensor:
    """(B, T, H, W, C) to (B, H/side, W/side, T*side*side*C)."""
    b, t, h, w, c = frames.shape
    rows, columns = h // side, w // side
    split = frames.reshape(b, t, rows, side, columns, side, c).permute(0, 2, 4, 1, 3, 5, 6)
    return split.reshape(b, rows, columns, t * side * side * c)


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
        self.leave = zeroed(nn.Conv2d(width, latent, 3, padding=1))

    def forward(self, frames: Tensor) -> Tensor:
        blocks, quads = patches(frames, 8), patches(frames, 4)
        y = F.silu(conv_last(self.down, F.silu(conv_last(self.enter, quads))))
        y = F.silu(conv_last(self.mix, y)) + y
        return (self.linear(blocks) + conv_last(self.leave, y)).permute(0, 3, 1, 2)


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
                nn.Conv2d(width, width, 3, padding=1),
                nn.SiLU(),
                zeroed(nn.Conv2d(width, width, 3, padding=1)),
            )
            for _ in range(3)
        )
        self.grow = nn.Conv2d(width, 4 * fine, 3, padding=1)
        self.fine = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(fine, fine, 3, padding=1), nn.SiLU(), zeroed(nn.Conv2d(fine, fine, 3, padding=1))
            )
            for _ in range(2)
        )
        self.head = zeroed(nn.Conv2d(fine, 192, 3, padding=1))

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
