"""A judge of generated clips: scene, main colour, direction of motion and time of day from the pixels alone.

It has seen renders of the procedural world and nothing of the generator, and shares no code with it. Renders were
also played backwards, so that a subject's facing says nothing about where it moves.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from eapg_split.eapg.attributes import VALUES
from eapg_split.errors import CorruptWeights

FRAMES: Final = 16
WIDTH: Final = 96
HEIGHT: Final = 54
JUDGED: Final = ("scene", "colour", "direction", "time")
_CHANNELS: Final = (16, 32, 64, 112, 160)


class _Factorised(nn.Module):
    """(2+1)D convolution: over space (stride 2), then over time, each with its norm."""

    def __init__(self, inputs: int, outputs: int, *, time_stride: int) -> None:
        super().__init__()
        size = 5 if inputs == 3 else 3
        self.space = nn.Conv3d(
            inputs, outputs, (1, size, size), (1, 2, 2), (0, size // 2, size // 2), bias=False
        )
        self.space_norm = nn.BatchNorm3d(outputs)
        self.time = nn.Conv3d(outputs, outputs, (3, 1, 1), (time_stride, 1, 1), (1, 0, 0), bias=False)
        self.time_norm = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.space_norm(self.space(x)))
        return torch.relu(self.time_norm(self.time(x)))


class AttributeClassifier(nn.Module):
    """Clips (B, 3, 16, 54, 96) in [-1, 1] -> logits per judged attribute, each (B, number of values)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *_CHANNELS)
        self.blocks = nn.Sequential(
            *(
                _Factorised(inputs, outputs, time_stride=2 if index < 3 else 1)
                for index, (inputs, outputs) in enumerate(pairwise(widths))
            )
        )
        self.heads = nn.ModuleDict({name: nn.Linear(2 * widths[-1], len(VALUES[name])) for name in JUDGED})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = self.blocks(clips).flatten(2)
        pooled = torch.cat([x.mean(2), x.amax(2)], dim=1)
        return {name: head(pooled) for name, head in self.heads.items()}


def shrink(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """`FRAMES` frames spread evenly over the clip, averaged down to `WIDTH` x `HEIGHT`: (16, 54, 96, 3) RGB."""
    chosen = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    return np.stack(
        [np.asarray(cv2.resize(frames[i], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)) for i in chosen]
    ).astype(np.uint8)


def to_tensor(clips: NDArray[np.uint8]) -> Tensor:
    """Shrunken clips (B, 16, 54, 96, 3) to what the network takes."""
    return torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float().div(127.5).sub(1)


def judge(classifier: AttributeClassifier, frames: Sequence[NDArray[np.uint8]]) -> Mapping[str, str]:
    """The most probable value of every judged attribute for RGB frames (H, W, 3) of any size."""
    with torch.inference_mode():
        logits = classifier(to_tensor(shrink(frames)[None]))
    return MappingProxyType({name: VALUES[name][int(scores.argmax())] for name, scores in logits.items()})


def save_classifier(classifier: AttributeClassifier, path: Path, accuracy: Mapping[str, float]) -> None:
    """Writes the weights with the accuracy on held-out renders beside them."""
    tensors = {name: tensor.contiguous() for name, tensor in classifier.state_dict().items()}
    save_file(tensors, path, metadata={name: f"{share:.4f}" for name, share in accuracy.items()})


def load_classifier(path: Path) -> tuple[AttributeClassifier, Mapping[str, float]]:
    """The classifier, ready to judge, and its accuracy on held-out renders.

    Raises:
        CorruptWeights: the file is missing, damaged or of another classifier.
    """
    classifier = AttributeClassifier()
    try:
        with safe_open(path, framework="pt") as stored:
            classifier.load_state_dict({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
            accuracy = {name: float((stored.metadata() or {})[name]) for name in JUDGED}
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CorruptWeights(
            f"the attribute classifier {path} cannot be read; "
            "train it again with: python -m benchmarks.train_classifier"
        ) from error
    return classifier.eval(), MappingProxyType(accuracy)
