"""Engines over the toy networks, for daemons: `--engine tests.toy_engine:open_engine`."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent
from eapg_split.domain.workload import Workload
from eapg_split.eapg.pipeline import EapgPipeline
from tests.toy_networks import ToyNetworks

STEP_S = 0.15
GATE = "EAPG_SPLIT_TEST_GATE"


class SlowPipeline(EapgPipeline):
    """Takes its time for each step, so that a test can interfere in the middle of a segment."""

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        time.sleep(STEP_S)
        return super().run_step(workload, step, state)


def open_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    del kind, threads, weights
    return EapgPipeline(ToyNetworks(), kind="toy")


def open_slow_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    del kind, threads, weights
    return SlowPipeline(ToyNetworks(), kind="toy")


class GatedDecoder(EapgPipeline):
    """Stops after the first frame until the file that GATE names is there."""

    def decode(self, workload: Workload, state: Latent) -> Iterator[NDArray[np.uint8]]:
        frames = super().decode(workload, state)
        yield next(frames)
        wait_for_gate()
        yield from frames


def open_gated_decoder(kind: str, *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    del kind, threads, weights
    return GatedDecoder(ToyNetworks(), kind="toy")


def wait_for_gate() -> None:
    """Returns once the file that GATE names is there."""
    gate = Path(os.environ[GATE])
    while not gate.exists():
        time.sleep(0.01)


def open_gated_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    """Once the file that GATE names is there."""
    wait_for_gate()
    return open_engine(kind, threads=threads, weights=weights)
