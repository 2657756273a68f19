"""The states that our own pipeline hands on, after every step, of a few prompts; kept under `runs/wire/`.

A kept state is used only while the weights are the same: their fingerprint is part of its folder's name.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import load_file, save_file

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.eapg.calibration import Reference, run_reference
from eapg_split.eapg.pipeline import EapgPipeline

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


def cuts_of(workload: Workload) -> tuple[int, ...]:
    """The steps after which a latent can be handed on: the denoising ones."""
    stages = (stage for stage in workload.stages if stage.kind is StageKind.DENOISE)
    return tuple(step for stage in stages for step in range(stage.start_step, stage.stop_step))


def run_of(engine: EapgPipeline, request: Request) -> Reference:
    """The undisturbed run of a request: from the kept files, or computed and kept."""
    workload = engine.unroll(request)
    folder = KEPT / hashlib.sha256(f"{engine.fingerprint} {request}".encode()).hexdigest()[:24]
    paths = [folder / f"after-{step:03}.safetensors" for step in range(workload.steps - 1)]
    frames = folder / "frames.npy"
    if not frames.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _keep(run_reference(engine, request), paths, frames)
    states = tuple(Latent(load_file(path)) for path in paths)
    return Reference(workload, states, list(np.load(frames, allow_pickle=False)))


def _keep(run: Reference, paths: Sequence[Path], frames: Path) -> None:
    for state, path in zip(run.states, paths, strict=True):
        save_file(dict(state), path)
    part = frames.with_suffix(".part.npy")
    np.save(part, np.stack(run.frames))
    part.replace(frames)  # last: a folder with frames is whole
