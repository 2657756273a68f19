"""An engine that takes any state and only waits: daemons whose wire is measured run it (`wire_idle:open_engine`)."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.runtime.engine import Engine

STEP_S: Final = 0.5  # so long that a hand-off is called off before there is a result
FINGERPRINT: Final = "0" * 64

Frames = NDArray[np.uint8]


class IdleEngine:
    """Takes any state and gives zeros after a while; its frames are black, and codecs keep to their own defaults."""

    kind = "idle"
    fingerprint = FINGERPRINT

    def prepare(self, parts: Iterable[str]) -> None:
        """There is nothing to load."""

    def unroll(self, request: Request) -> Workload:
        return unroll(request)

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        del state
        time.sleep(STEP_S)
        spec = workload.spec_after(step)
        return Latent({tensor.name: np.zeros(tensor.shape, np.float32) for tensor in spec.tensors})

    def decode(self, workload: Workload, state: Latent) -> Iterator[Frames]:
        del state
        geometry = workload.stages[-1].geometry
        for _ in range(geometry.frames):
            yield np.zeros((geometry.height, geometry.width, 3), np.uint8)

    def preview(self, workload: Workload, step: int, state: Latent) -> Frames:
        del state
        geometry = workload.stage_of(step).geometry
        return np.zeros((1, geometry.height, geometry.width, 3), np.uint8)

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        del workload, step, quality_db
        return DEFAULT_FIDELITY


def open_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> Engine:
    """For `--engine wire_idle:open_engine`."""
    del kind, threads, weights
    return IdleEngine()
