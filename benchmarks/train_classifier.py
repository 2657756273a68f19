"""Trains the attribute classifier on renders: python benchmarks/train_classifier.py (about 12 minutes of one core).

Renders are kept in runs/classifier/ and used again as long as the world draws the same. Held-out renders come from
other seeds, are drawn at 256x144 and shrunk as generated clips are; their accuracy is stored in the file.
"""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from quality_clips import world_fingerprint
from torch import Tensor, nn

from eapg_split.eapg.attributes import DIRECTIONS, SCENES, VALUES, Attributes
from eapg_split.training.classifier import (
    FRAMES,
    HEIGHT,
    JUDGED,
    WIDTH,
    AttributeClassifier,
    load_classifier,
    save_classifier,
    shrink,
    to_tensor,
)
from eapg_split.training.world import render, sample_scene

CHECKPOINT: Final = Path(__file__).with_name("classifier.safetensors")
CACHE: Final = Path(__file__).resolve().parents[1] / "runs" / "classifier"
_HELD_OUT_SEED: Final = 10_000_000
_SECONDS: Final = (2.0, 3.0, 5.0, 5.0, 5.0)
_BATCH: Final = 32


@dataclass(frozen=True)
class Clips:
    """Shrunken clips (N, 16, 54, 96, 3) and the numbers (N, 4) of their values, in the order of `JUDGED`."""

    pixels: NDArray[np.uint8]
    values: NDArray[np.int64]


def draw_clips(count: int, *, first_seed: int, width: int, height: int) -> Clips:
    """Renders `count` clips, every scene equally often; all else as the world draws it."""
    pixels, values = [], []
    for seed in range(first_seed, first_seed + count):
        seconds = random.Random(seed).choice(_SECONDS)
        scene = sample_scene(Attributes(scene=SCENES[seed % len(SCENES)]), seed, duration_s=seconds)
        frames = render(scene, np.linspace(0, seconds, FRAMES).tolist(), width, height)
        pixels.append(shrink(list(frames)))
        values.append([VALUES[name].index(getattr(scene.attributes, name)) for name in JUDGED])
    return Clips(np.stack(pixels), np.array(values, dtype=np.int64))


def _cached(name: str, count: int, **drawing: int) -> Clips:
    path = CACHE / f"{name}-{count}-{world_fingerprint()[:8]}.npz"
    if path.exists():
        stored = np.load(path, allow_pickle=False)
        return Clips(stored["pixels"], stored["values"])
    clips = draw_clips(
        count, first_seed=drawing["first_seed"], width=drawing["width"], height=drawing["height"]
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(path, pixels=clips.pixels, values=clips.values)
    return clips


def augment(x: Tensor, values: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Backwards, mirrored, shifted, blurred, noisy and dimmed copies, with the labels that follow.

    Playing backwards turns the direction but not the subject; a mirror turns both.
    """

    def chance(share: float) -> Tensor:
        return torch.rand(len(x), generator=generator) < share

    values = values.clone()
    column = JUDGED.index("direction")
    backwards, mirror, blur = chance(0.4), chance(0.5), chance(0.4)
    for flipped, dim, names in (
        (backwards, 2, ("right", "left", "down", "up")),
        (mirror, 4, ("right", "left", "up", "down")),
    ):
        turned = torch.tensor([DIRECTIONS.index(name) for name in names])[values[:, column]]
        values[:, column] = torch.where(flipped, turned, values[:, column])
        x = _where(flipped, x.flip(dim), x)
    small = nn.functional.interpolate(x, size=(FRAMES, HEIGHT // 2, WIDTH // 2), mode="area")
    x = _where(blur, nn.functional.interpolate(small, size=x.shape[2:], mode="trilinear"), x)
    dy, dx = (int(torch.randint(-reach, reach + 1, (1,), generator=generator)) for reach in (2, 5))
    x = torch.roll(x, (dy, dx), (3, 4))
    per_clip = (len(x), 1, 1, 1, 1)
    gain = 1 + 0.1 * torch.randn(per_clip, generator=generator)
    noise = torch.randn(x.shape, generator=generator) * 0.1 * torch.rand(per_clip, generator=generator)
    return x * gain + noise, values


def _where(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(mask.view(-1, *([1] * (yes.dim() - 1))), yes, no)


def accuracy_on(classifier: AttributeClassifier, clips: Clips) -> dict[str, float]:
    """Share of the clips whose value is recovered, per judged attribute."""
    right = np.zeros(len(JUDGED))
    classifier.eval()
    with torch.inference_mode():
        for start in range(0, len(clips.pixels), _BATCH):
            logits = classifier(to_tensor(clips.pixels[start : start + _BATCH]))
            guessed = np.stack([logits[name].argmax(1).numpy() for name in JUDGED], axis=1)
            right += (guessed == clips.values[start : start + _BATCH]).sum(0)
    return dict(zip(JUDGED, (right / len(clips.pixels)).tolist(), strict=True))


def train(clips: Clips, *, epochs: int, seed: int = 0) -> AttributeClassifier:
    """A classifier for these clips; prints the loss as it goes."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    classifier = AttributeClassifier()
    classifier.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    steps = epochs * (len(clips.pixels) // _BATCH)
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.2)
    started = time.monotonic()
    for epoch in range(epochs):
        classifier.train()
        total = 0.0
        order = torch.randperm(len(clips.pixels), generator=generator)
        batches = order[: steps // epochs * _BATCH].view(-1, _BATCH)
        for batch in batches:
            pixels = to_tensor(clips.pixels[batch.numpy()])
            x, values = augment(pixels, torch.from_numpy(clips.values[batch.numpy()]), generator)
            logits = classifier(x.contiguous(memory_format=torch.channels_last_3d))
            losses = [
                nn.functional.cross_entropy(logits[name], values[:, i]) for i, name in enumerate(JUDGED)
            ]
            loss = torch.stack(losses).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(
            f"epoch {epoch + 1}/{epochs}: loss {total / len(batches):.3f}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
    return classifier


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=6000, help="renders to train on")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=CHECKPOINT)
    parser.add_argument("--check", action="store_true", help="do not train: measure the stored one again")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    held_out = _cached("held-out", 600, first_seed=_HELD_OUT_SEED, width=256, height=144)
    if options.check:
        classifier, _ = load_classifier(options.output)
    else:
        clips = _cached("training", options.clips, first_seed=0, width=WIDTH, height=HEIGHT)
        classifier = train(clips, epochs=options.epochs)
    accuracy = accuracy_on(classifier, held_out)
    if not options.check:
        save_classifier(classifier, options.output, accuracy)
    print("held-out renders: " + ", ".join(f"{name} {share:.1%}" for name, share in accuracy.items()))


if __name__ == "__main__":
    main()
