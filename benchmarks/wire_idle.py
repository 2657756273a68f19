"""An engine that takes any state and only waits: daemons whose wire is measured run it (`wire_idle:open_engine`)."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll

STEP_S: Final = 0.5  # so long that a hand-off is called off before there is a result
FINGERPRINT: Final = "0" * 64


class IdleEngine:
    """Takes any state and gives zeros after a while."""

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

    def decode(self, workload: Workload, state: Latent) -> Iterator[NDArray[np.uint8]]:
        raise NotImplementedError

    def preview(self, workload: Workload, step: int, state: Latent) -> NDArray[np.uint8]:
        raise NotImplementedError


def open_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> IdleEngine:
    """For `--engine wire_ours:open_engine`."""
    del kind, threads, weights
    return IdleEngine()
