"""A Ray actor on the same machine that gives back what it gets; this process is the driver."""

from typing import Any

import numpy as np
import ray
from peer_pipe import Array, Fields, Reply, serve, timed

ANSWER_S = 30.0
STORE_BYTES = 256 << 20


class Echo:
    """The actor."""

    def echo(self, array: Array) -> Array:
        return array


class Peer:
    """The driver's side."""

    def __init__(self) -> None:
        self._actor: Any = None

    def start(self, fields: Fields, array: Array) -> Reply:
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            configure_logging=False,
        )
        self._actor = ray.remote(Echo).remote()
        ray.get(self._actor.echo.remote(np.zeros(1, np.float32)), timeout=ANSWER_S)
        return {"version": ray.__version__}, None

    def echo(self, fields: Fields, array: Array) -> Reply:
        def once() -> Array:
            return ray.get(self._actor.echo.remote(array), timeout=ANSWER_S)

        same = bool(np.array_equal(once(), array))
        return {"seconds": timed(fields["times"], once), "same": same}, None


if __name__ == "__main__":
    peer = Peer()
    try:
        serve({"start": peer.start, "echo": peer.echo})
    finally:
        ray.shutdown()
