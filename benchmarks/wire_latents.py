"""The states that our own pipeline hands on, after every step, of a few prompts; kept under `runs/wire/`.

A kept state is used only while the weights are the same: their fingerprint is part of its folder's name.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import StageKind, Workload

ROOT: Final = Path(__file__).resolve().parents[1]
KEPT: Final = ROOT / "runs" / "wire"
PROMPTS: Final = (  # one for each scene that the weights have learnt
    "A cat running to the right",
    "A red car driving to the left",
    "一只鸟向右飞过天空",
    "A city at night",
    "A blue ball bouncing",
    "一艘小船在海上向左航行",
    "A hot air balloon rising",
    "一条橙色的鱼向左游",
    "A green train driving to the right",
    "一枚火箭升空",
)

Frames = NDArray[np.uint8]


class Pipeline(Protocol):
    """What is needed of an engine."""

    @property
    def fingerprint(self) -> str: ...

    def unroll(self, request: Request) -> Workload: ...

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent: ...

    def decode(self, workload: Workload, state: Latent) -> Iterator[Frames]: ...

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity: ...


@dataclass(frozen=True)
class Run:
    """One prompt's states after each step before the decode step, and the frames of the undisturbed run."""

    workload: Workload
    states: tuple[Latent, ...]
    frames: Frames

    @property
    def cuts(self) -> tuple[int, ...]:
        """The steps after which a latent can be handed on: the denoising ones."""
        stages = (stage for stage in self.workload.stages if stage.kind is StageKind.DENOISE)
        return tuple(step for stage in stages for step in range(stage.start_step, stage.stop_step))


def run_of(engine: Pipeline, request: Request) -> Run:
    """The run of a request: from the kept files, or computed and kept."""
    workload = engine.unroll(request)
    folder = KEPT / hashlib.sha256(f"{engine.fingerprint} {request}".encode()).hexdigest()[:24]
    paths = [folder / f"after-{step:03}.safetensors" for step in range(workload.steps - 1)]
    frames = folder / "frames.npy"
    if not frames.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compute(engine, workload, paths, frames)
    states = tuple(_load(path) for path in paths)
    return Run(workload, states, np.load(frames, allow_pickle=False))


def finish(engine: Pipeline, workload: Workload, step: int, state: Latent) -> Frames:
    """The frames (n, h, w, 3) that follow from the state after `step`."""
    for later in range(step + 1, workload.steps - 1):
        state = engine.run_step(workload, later, state)
    return np.stack(list(engine.decode(workload, state)))


def psnr_db(ours: Frames, theirs: Frames) -> float:
    """Peak signal to noise of 8-bit frames, over the whole clip; infinite where every value is the same."""
    error = np.mean(np.square(ours.astype(np.float32) - theirs.astype(np.float32)), dtype=np.float64)
    return math.inf if error == 0 else 10 * math.log10(255**2 / float(error))


def _compute(engine: Pipeline, workload: Workload, paths: Sequence[Path], frames: Path) -> None:
    state = Latent()
    for step, path in enumerate(paths):
        state = engine.run_step(workload, step, state)
        save_file(dict(state), path)
    part = frames.with_suffix(".part.npy")
    np.save(part, np.stack(list(engine.decode(workload, state))))
    part.replace(frames)  # last: a folder with frames is whole


def _load(path: Path) -> Latent:
    return Latent(load_file(path))
