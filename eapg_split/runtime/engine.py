"""What computes steps on this node: the seam between the runtime and an engine kind."""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Workload
from eapg_split.errors import InvalidRequest


class Engine(Protocol):
    """Runs the steps of a workload. Blocking; the worker calls it from one thread only."""

    @property
    def kind(self) -> str:
        """What computes: "onnx", "torch", or a name of the plug-in's own."""

    @property
    def fingerprint(self) -> str:
        """Identifies the weights; nodes that share a job must agree on it."""

    def prepare(self, parts: Iterable[str]) -> None:
        """Loads the weights that some stages need (see Stage.parts). Idempotent. Raises CorruptWeights."""

    def unroll(self, request: Request) -> Workload:
        """The request as an ordered chain of steps; loads nothing."""

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        """The state after a text or denoising step. Raises EngineFailure."""

    def decode(self, workload: Workload, state: Latent) -> Iterator[NDArray[np.uint8]]:
        """The frames, one by one: RGB, (height, width, 3)."""

    def preview(self, workload: Workload, step: int, state: Latent) -> NDArray[np.uint8]:
        """What the state after `step` looks like: (T, h, w, 3), at the size of the step's stage."""

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        """What a lossy codec may do to the state after a step, if the final video is to keep so many dB."""


class OpenEngine(Protocol):
    """Opens an engine of some kind without loading weights. Raises Unsupported or CorruptWeights."""

    def __call__(self, kind: str, *, threads: int = 0, weights: Path | None = None) -> Engine: ...


def engine_opener(spec: str, shipped: OpenEngine) -> OpenEngine:
    """The opener for `--engine`: `shipped` for a kind, or the callable that `module:callable` names.

    Raises InvalidRequest when the module or the callable cannot be found.
    """
    module_name, colon, attribute = spec.partition(":")
    if not colon:
        return shipped
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidRequest(
            f"The engine {spec!r} was not found ({error}): write module:callable of an installed module."
        ) from error
    if not callable(found):
        raise InvalidRequest(f"The engine {spec!r} is not callable: name a function that opens one.")
    return cast(OpenEngine, found)
