"""The toy engine with steps of equal length that need memory, and that can be followed from outside.

For daemons: `--engine tests.faults.engine:open_engine`. `EAPG_FAULTS_STEP_S` is a step's length in seconds;
`EAPG_FAULTS_STEPS` names a file that gets a line "STEP PID MOMENT" as each step begins, on the monotonic clock.
"""

import mmap
import os
import time
from pathlib import Path
from typing import Final

from eapg_split.domain.latent import Latent
from eapg_split.domain.workload import Workload
from eapg_split.eapg.pipeline import EapgPipeline
from tests.toy_networks import ToyNetworks

STEP_S: Final = 0.1
WORK_BYTES: Final = 32 << 20  # what a step takes and gives back


class EvenPipeline(EapgPipeline):
    """Every step takes its time and its memory."""

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        began = time.monotonic()
        path = os.environ.get("EAPG_FAULTS_STEPS")
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{step} {os.getpid()} {began}\n")
        with _memory():
            after = super().run_step(workload, step, state)
            step_s = float(os.environ.get("EAPG_FAULTS_STEP_S", STEP_S))
            time.sleep(max(0.0, began + step_s - time.monotonic()))
        return after


def _memory() -> mmap.mmap:
    """Memory that is asked of the system anew each time, whatever an allocator has in hand. Raises MemoryError."""
    try:
        return mmap.mmap(-1, WORK_BYTES)
    except OSError as error:
        raise MemoryError from error


def open_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    del kind, threads, weights
    return EvenPipeline(ToyNetworks(), kind="toy")
