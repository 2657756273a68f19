"""Dask's LocalCluster runs a chain of steps, and loses a worker inside one of them."""

import time
from typing import Any

import dask
import numpy as np
from distributed import Client, LocalCluster
from distributed.diagnostics.plugin import SchedulerPlugin
from fault_chain import DEADLINE_S, kill_inside, step, told
from peer_pipe import Array, Fields, Reply, serve

WORKERS = 3


class Losses(SchedulerPlugin):  # type: ignore[misc]  # only its own environment knows what it is
    """When the scheduler, which is in this process, lost a worker."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def remove_worker(self, scheduler: Any, worker: str, **rest: Any) -> None:
        self.moments.append(time.monotonic())


class Peer:
    """The cluster and its client."""

    def __init__(self) -> None:
        self._cluster: Any = None
        self._client: Any = None
        self._losses = Losses()

    def start(self, fields: Fields, array: Array) -> Reply:
        dask.config.set({"distributed.scheduler.allowed-failures": 10})
        self._cluster = LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        )
        self._client = Client(self._cluster)
        self._client.wait_for_workers(WORKERS)
        self._cluster.scheduler.add_plugin(self._losses, name="losses")
        return {"version": dask.__version__}, None

    def lose(self, fields: Fields, array: Array) -> Reply:
        self._client.wait_for_workers(WORKERS)
        value = self._client.submit(
            np.copy, array, pure=False
        )  # what is only scattered would be lost for good
        for number in range(fields["steps"]):
            value = self._client.submit(step, value, number, fields["log"], fields["step_s"], pure=False)
        killed = kill_inside(fields["log"], fields["at"], fields["step_s"])
        same = bool(np.array_equal(value.result(timeout=DEADLINE_S), array + fields["steps"]))
        detected = min(moment for moment in self._losses.moments if moment > killed) - killed
        return {**told(fields["log"], killed), "detected_s": detected, "same": same}, None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._cluster.close()


if __name__ == "__main__":
    peer = Peer()
    try:
        serve({"start": peer.start, "lose": peer.lose})
    finally:
        peer.close()
