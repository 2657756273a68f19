"""Ray runs a chain of tasks on this machine, and loses a worker inside one of them."""

from typing import Any

import numpy as np
import ray
from fault_chain import DEADLINE_S, kill_inside, step, told
from peer_pipe import Array, Fields, Reply, serve

STORE_BYTES = 256 << 20
RETRIES = 10


class Peer:
    """The driver's side."""

    def __init__(self) -> None:
        self._step: Any = None

    def start(self, fields: Fields, array: Array) -> Reply:
        ray.init(
            address="local",
            num_cpus=3,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            configure_logging=False,
        )
        self._step = ray.remote(max_retries=RETRIES)(step)
        ray.get(self._step.remote(array, 0, fields["log"], 0.0))
        return {"version": ray.__version__}, None

    def lose(self, fields: Fields, array: Array) -> Reply:
        value = ray.put(array)
        for number in range(fields["steps"]):
            value = self._step.remote(value, number, fields["log"], fields["step_s"])
        killed = kill_inside(fields["log"], fields["at"], fields["step_s"])
        same = bool(np.array_equal(ray.get(value, timeout=DEADLINE_S), array + fields["steps"]))
        return {**told(fields["log"], killed), "same": same}, None


if __name__ == "__main__":
    peer = Peer()
    try:
        serve({"start": peer.start, "lose": peer.lose})
    finally:
        ray.shutdown()
