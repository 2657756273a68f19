"""Trains the 64x causal video autoencoder: principal components first, learnt corrections after.

From scratch such a net reached 15 dB in the time in which the components alone give 27 dB, hence the start.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from eapg_split.engines.torch_networks.video_networks import VideoDecoder, VideoEncoder, patches
from eapg_split.training import data
from eapg_split.training.loop import Budget, Progress, Trainer, learning_device

_NOISE = 0.04  # of a unit-variance latent: stands in for quantisation and for prediction errors
_FIRST_EXAMPLES = 160  # from which the components are computed; a run of a few steps takes fewer


class Autoencoder(nn.Module):
    """Encoder and decoder together, as they are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = VideoEncoder()
        self.decoder = VideoDecoder()

    @torch.no_grad()
    def start_from_components(self, blocks: Tensor) -> None:
        """Sets the linear maps from example blocks (N, 768): whitened leading components and their inverse."""
        mean = blocks.mean(0)
        values, vectors = torch.linalg.eigh(torch.cov((blocks - mean).T))
        latent = self.encoder.linear.out_features
        basis, spread = vectors[:, -latent:].flip(1), values[-latent:].flip(0).clamp(min=1e-8).sqrt()
        self.encoder.linear.weight.copy_((basis / spread).T)
        self.encoder.linear.bias.copy_(-(mean @ basis) / spread)
        self.decoder.linear.weight.copy_(basis * spread)
        self.decoder.linear.bias.copy_(mean)


def _crops(batch: Sequence[data.Example]) -> Tensor:
    return data.to_signed(torch.cat([torch.from_numpy(example["frames"]) for example in batch]))


def blocks_of(frames: Tensor) -> Tensor:
    """(N, 4, H, W, 3) to its 4x8x8 blocks (N*H*W/64, 768) in the encoder's order."""
    return patches(frames, 8).flatten(0, 2)


def reconstruction_loss(net: Autoencoder, frames: Tensor) -> Tensor:
    """Frames (N, 8, H, W, 3): two blocks each, the second decoded with the first before it."""
    still = frames.clone()
    # every eighth clip starts with a frozen block, as the first latent of a clip does
    still[::8, :4] = frames[::8, 3:4]
    first, second = net.encoder(still[:, :4]), net.encoder(still[:, 4:])
    first = first + torch.randn_like(first) * _NOISE
    second = second + torch.randn_like(second) * _NOISE
    later = net.decoder(second, first)
    opening = net.decoder(first[::4], first[::4])
    shown = torch.cat([later, opening])
    wanted = torch.cat([still[:, 4:], still[::4, :4]])
    error = shown - wanted
    moving = (shown[:, 1:] - shown[:, :-1]) - (wanted[:, 1:] - wanted[:, :-1])
    return error.square().mean() * 4 + error.abs().mean() * 0.5 + moving.abs().mean() * 0.25


def train_autoencoder(folder: Path, budget: Budget, batch: int, seed: int) -> Iterator[Progress]:
    """Runs the phase; `batch` counts crops and is a multiple of the six that one example holds."""
    net = Autoencoder().to(learning_device())
    trainer = Trainer("autoencoder", net, folder)
    examples = max(1, batch // 6)
    pool = data.Pool(data.block_pairs, capacity=1_500, fresh=1, seed=seed + 500_000 * (1 + trainer.steps))
    if trainer.steps == 0:
        first = [data.block_pairs(seed + i) for i in range(min(_FIRST_EXAMPLES, 8 * budget.steps))]
        net.start_from_components(blocks_of(_crops(first)[:, :4]).to(trainer.device))
        for key, parameter in trainer.parameters.items():
            trainer.mean[key] = parameter.detach().clone()
    batches = (_crops(b) for b in pool.batches(examples))
    return trainer.run(batches, lambda b: reconstruction_loss(net, b), examples * 6, budget)
