"""The recipe that trains everything that ships, phase by phase, resumable, on a CPU or one GPU."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from eapg_split.training import phases
from eapg_split.training.loop import Budget, Progress, Trainer
from eapg_split.training.networks import LOW, STAGE1, STAGE2, Denoiser, TextEncoder, VideoDecoder, VideoEncoder


@dataclass(frozen=True, slots=True)
class Phase:
    """A named part of the recipe: what it trains, in batches of what size, and for which share of the time."""

    name: str
    state: str  # phases with the same state train the same module one after the other
    batch: int
    share: float
    rate: float = 1e-3


PHASES = (
    Phase("text", "text", 48, 0.03),
    Phase("autoencoder", "autoencoder", 16, 0.12),
    Phase("stage1-images", "stage1", 48, 0.2),
    Phase("stage1-clips", "stage1", 12, 0.35),
    Phase("stage2", "stage2", 6, 0.18),
    Phase("low", "low", 16, 0.12),
)


def train_phase(phase: Phase, folder: Path, minutes: float, seed: int) -> Iterator[Progress]:
    """Runs one phase for so many minutes, going on from the state in `folder` if there is one."""
    torch.manual_seed(seed)
    encoder = TextEncoder()
    budget = Budget(minutes=minutes, rate=phase.rate)
    if phase.name == "text":
        trainer = Trainer("text", encoder, folder)
        batches = phases.caption_batches(seed, phase.batch)
        return trainer.run(batches, lambda b: phases.text_loss(encoder, b), phase.batch, budget)
    if phase.name == "autoencoder":
        from eapg_split.training.autoencoder import train_autoencoder

        return train_autoencoder(folder, budget, phase.batch, seed)
    if phase.name == "low":
        from eapg_split.training.late import train_low

        return train_low(folder, budget, phase.batch, seed)
    net = Denoiser(STAGE2 if phase.name == "stage2" else STAGE1)
    trainer = Trainer(phase.state, net, folder)
    make = {
        "stage1-images": phases.image_batches,
        "stage1-clips": phases.key_frame_batches,
        "stage2": phases.early_batches,
    }[phase.name]
    loss = phases.stage2_loss if phase.name == "stage2" else phases.stage1_loss
    first = seed + 1_000_000 * (1 + trainer.steps)
    return trainer.run(make(first, phase.batch), lambda b: loss(net, encoder, b), phase.batch, budget)
