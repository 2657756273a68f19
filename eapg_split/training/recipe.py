"""The recipe that trains everything that ships, phase by phase, resumable, on a CPU or one GPU."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import nn

from eapg_split.engines.store import SHIPPED, read_manifest
from eapg_split.engines.torch_networks.denoiser import LOW, STAGE1, STAGE2, Denoiser
from eapg_split.engines.torch_networks.text_encoder import TextEncoder
from eapg_split.errors import InvalidRequest
from eapg_split.export.onnx import check, export_part, part_specs, write_manifest
from eapg_split.training import phases
from eapg_split.training.autoencoder import Autoencoder, train_autoencoder
from eapg_split.training.late import train_low
from eapg_split.training.loop import Budget, Progress, Trainer, learning_device

TIME_SHIFT: Final = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Phase:
    """A named part of the recipe: its batch size, and its share of the time."""

    name: str
    batch: int
    share: float
    rate: float = 1e-3


PHASES: Final = (
    Phase("text", 48, 0.04),
    Phase("autoencoder", 12, 0.12),
    Phase("stage1-images", 32, 0.2, rate=1.5e-3),
    Phase("stage1-clips", 8, 0.34),
    Phase("stage2", 6, 0.18),
    Phase("low", 16, 0.12),
)


def phases_named(names: str) -> tuple[Phase, ...]:
    """The phases in a comma-separated list, in the recipe's order; all of them for "all".

    Raises InvalidRequest for a name that is not one.
    """
    known = {phase.name: phase for phase in PHASES}
    wanted = list(known) if names == "all" else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise InvalidRequest(f"There is no phase {name!r}: use all, or some of {', '.join(known)}.")
    return tuple(phase for phase in PHASES if phase.name in wanted)


def train_phase(phase: Phase, folder: Path, budget: Budget, seed: int) -> Iterator[Progress]:
    """Runs one phase within its budget, going on from the state in `folder` if there is one."""
    torch.manual_seed(seed)
    if phase.name == "autoencoder":
        return train_autoencoder(folder, budget, phase.batch, seed)
    if phase.name == "low":
        return train_low(folder, budget, phase.batch, seed)
    device = learning_device()
    encoder = TextEncoder().to(device)
    if phase.name == "text":
        trainer = Trainer("text", encoder, folder)
        captions = phases.caption_batches(seed + 1_000_000 * trainer.steps, phase.batch)
        return trainer.run(captions, lambda b: phases.text_loss(encoder, b), phase.batch, budget)
    if phase.name == "stage2":
        net = Denoiser(STAGE2).to(device)
        trainer = Trainer("stage2", net, folder)
        windows = phases.early_batches(seed + 1_000_000 * (1 + trainer.steps), phase.batch)
        return trainer.run(windows, lambda b: phases.stage2_loss(net, encoder, b), phase.batch, budget)
    net = Denoiser(STAGE1).to(device)
    trainer = Trainer("stage1", net, folder)
    make = phases.image_batches if phase.name == "stage1-images" else phases.key_frame_batches
    frames = make(seed + 1_000_000 * (1 + trainer.steps), phase.batch)
    return trainer.run(frames, lambda b: phases.stage1_loss(net, encoder, b), phase.batch, budget)


def _blank_states() -> dict[str, nn.Module]:
    """An untrained module for every training state."""
    return {
        "text": TextEncoder(),
        "autoencoder": Autoencoder(),
        "stage1": Denoiser(STAGE1),
        "stage2": Denoiser(STAGE2),
        "low": Denoiser(LOW),
    }


def _parts_of(name: str, module: nn.Module) -> dict[str, nn.Module]:
    """The parts that ship of one training state."""
    if isinstance(module, Autoencoder):
        return {"encoder": module.encoder, "decoder": module.decoder}
    return {name: module}


def start_from(weights: Path, folder: Path) -> tuple[str, ...]:
    """Gives `folder` a training state from exported weights where it has none, so that training goes on from them.

    Returns the names of the states that were made. Raises CorruptWeights when the weights are not whole.
    """
    manifest = read_manifest(weights)
    blank = _blank_states()
    missing = [name for name in blank if not (folder / f"{name}.safetensors").exists()]
    for name in missing:
        for part, module in _parts_of(name, blank[name]).items():
            stored = load_file(manifest.path(part, "safetensors"))
            module.load_state_dict({key: value.float() for key, value in stored.items()})
        trainer = Trainer(name, blank[name], folder)
        trainer.steps = 1  # not the beginning: what starts afresh at step 0 must leave these weights alone
        trainer.save(finished=True)
    return tuple(missing)


def trained_modules(folder: Path) -> dict[str, nn.Module]:
    """The averaged networks that `folder` holds. Raises InvalidRequest when a phase has not run yet."""
    blank = _blank_states()
    missing = [name for name in blank if not (folder / f"{name}.safetensors").exists()]
    if missing:
        raise InvalidRequest(f"{folder} has no {', '.join(missing)}: run those phases before the export.")
    parts: dict[str, nn.Module] = {}
    for name, module in blank.items():
        parts |= _parts_of(name, Trainer(name, module, folder).use_mean())
    return {name: part.eval() for name, part in parts.items()}


def export_all(folder: Path, weights: Path, *, retrace: bool = True) -> Iterator[tuple[str, float]]:
    """Writes the shipped weights, part by part; yields each part and its largest graph-to-module difference.

    Without `retrace`, graphs that are there already are kept, and those that ship are taken for missing ones:
    tracing takes minutes, and only other networks need other graphs. Raises CorruptWeights when a graph does not
    compute what its module does.
    """
    for name, spec in part_specs(trained_modules(folder)).items():
        graph = f"{name}.onnx"
        if not retrace and not (weights / graph).exists() and (SHIPPED / graph).exists():
            weights.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SHIPPED / graph, weights / graph)
        export_part(name, spec, weights, retrace=retrace)
        yield name, check(name, spec, weights)
    write_manifest(weights, TIME_SHIFT)
