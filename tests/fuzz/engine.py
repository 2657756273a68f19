"""An engine that takes no time, in no thread of its own."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.topology import Tier
from eapg_split.domain.workload import Workload
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.workload import unroll
from eapg_split.errors import EngineFailure
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.settings import Limits
from eapg_split.runtime.worker import Worker
from tests.nodes import toy_worker
from tests.toy_networks import ToyNetworks

T = TypeVar("T")
_MOST_ELEMENTS: Final = 200_000


class _Still(EapgPipeline):
    """Computes nothing: states of the right shapes."""

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        del state
        spec = workload.spec_after(step)
        if spec.elements > _MOST_ELEMENTS:
            raise EngineFailure("too large for a toy")
        return Latent({tensor.name: np.zeros(tensor.shape, np.float32) for tensor in spec.tensors})

    def preview(self, workload: Workload, step: int, state: Latent) -> NDArray[np.uint8]:
        del workload, step, state
        return np.zeros((2, 8, 8, 3), np.uint8)

    def unroll(self, request: Request) -> Workload:
        return _unrolled(request)


@lru_cache(maxsize=256)
def _unrolled(request: Request) -> Workload:
    return unroll(request)


class Inline(SerialThread):
    """Calls at once, without a thread: those of so many workers would pile up."""

    def __init__(self) -> None:
        super().__init__("none")
        self.close()

    async def run(self, call: Callable[[], T], turn: tuple[str, str] | None = None) -> T:
        del turn
        return call()


ENGINE: Final = _Still(ToyNetworks(), kind="toy")


def still_worker(name: str, tier: Tier, limits: Limits | None = None) -> Worker:
    """A node that computes nothing, at once."""
    worker = toy_worker(name, tier, limits=limits, engine=lambda: ENGINE)
    worker.thread.close()
    worker.thread = Inline()
    worker.senses.close()
    worker.senses._thread = Inline()
    return worker
