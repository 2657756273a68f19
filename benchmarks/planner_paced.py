"""An engine that takes as long as a node of a given speed would, and computes nothing (`planner_paced:open_engine`).

Three real daemons on one small machine would take each other's cores; these wait instead. What they pass on has the
shape and, coded, about the size of real states. Operations a second come from EAPG_PACE, which the daemon's parent
sets; where the file that EAPG_PACE_CLOCK names exists, its number (0 to 1) slows the node down as throttling would.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wire_idle import IdleEngine

from eapg_split.domain.latent import Latent
from eapg_split.domain.workload import Workload
from eapg_split.runtime.engine import Engine

_CHUNK_S = 0.02


class PacedEngine(IdleEngine):
    """Waits flops / speed, and the entry of a stage at the first step that it computes of one."""

    kind = "paced"

    def __init__(self, flops_per_s: float, clock: Path | None) -> None:
        self._flops_per_s = flops_per_s
        self._clock = clock
        self._entered: tuple[str, int] | None = None

    def prepare(self, parts: Iterable[str]) -> None:
        """There is nothing to load."""

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        stage = workload.stage_of(step)
        entry = 0.0 if self._entered == (stage.name, step) else stage.entry_flops
        self._wait(stage.flops_per_step + entry)
        self._entered = (stage.name, step + 1)
        return Latent(
            {
                tensor.name: _values(tensor.name, tensor.shape, state)
                for tensor in workload.spec_after(step).tensors
            }
        )

    def decode(self, workload: Workload, state: Latent) -> Iterator[NDArray[np.uint8]]:
        self._wait(workload.stages[-1].flops_per_step)
        yield from super().decode(workload, state)

    def _wait(self, flops: float) -> None:
        """Looks at the clock's ratio now and then, so that a change is felt within a step; no late wake-up adds up."""
        left, last = flops / self._flops_per_s, time.monotonic()
        while left > 0:
            ratio = self._ratio()
            time.sleep(min(left / ratio, _CHUNK_S))
            now = time.monotonic()
            left -= (now - last) * ratio
            last = now

    def _ratio(self) -> float:
        if self._clock is None:
            return 1.0
        try:
            return min(1.0, max(0.05, float(self._clock.read_text())))
        except (OSError, ValueError):
            return 1.0


def _values(name: str, shape: tuple[int, ...], state: Latent) -> NDArray[np.float32]:
    """The same array again where it stays, and otherwise smooth numbers with a little noise, as latents are."""
    if name in state and state[name].shape == shape:
        return state[name]
    generator = np.random.Generator(np.random.Philox(sum(shape)))
    smooth = np.sin(np.indices(shape).sum(axis=0) * 0.1)
    values: NDArray[np.float32] = (smooth + 0.05 * generator.standard_normal(shape)).astype(np.float32)
    return values


def open_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> Engine:
    """For `--engine planner_paced:open_engine`."""
    del kind, threads, weights
    clock = os.environ.get("EAPG_PACE_CLOCK")
    return PacedEngine(float(os.environ["EAPG_PACE"]), Path(clock) if clock else None)
