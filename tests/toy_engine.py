"""Engines over the toy networks, for daemons: `--engine tests.toy_engine:open_engine`."""

import os
import time
from pathlib import Path

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


def open_gated_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    """Once the file that GATE names is there."""
    gate = Path(os.environ[GATE])
    while not gate.exists():
        time.sleep(0.01)
    return open_engine(kind, threads=threads, weights=weights)
