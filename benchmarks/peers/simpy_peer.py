"""The chains of services in SimPy: a process for each job, a resource for each station."""

import time
from collections.abc import Generator
from typing import Any

import numpy as np
import simpy
from peer_pipe import Array, Fields, Reply, serve


def run(fields: Fields, array: Array) -> Reply:
    """Of the chains in the file `path`: wall seconds, and when each job ended."""
    with np.load(fields["path"]) as chains:
        servers, routes = chains["servers"].tolist(), chains["routes"].tolist()
        arrives, kind = chains["arrives_s"].tolist(), chains["kind"].tolist()
        service = chains["service_s"].tolist()
    began = time.perf_counter()
    world = simpy.Environment()
    stations = [simpy.Resource(world, count) for count in servers]
    ends = [0.0] * len(arrives)

    def job(number: int) -> Generator[Any, Any, None]:
        for station, seconds in zip(routes[kind[number]], service[number], strict=True):
            with stations[station].request() as turn:
                yield turn
                yield world.timeout(seconds)
        ends[number] = world.now

    def source() -> Generator[Any, Any, None]:
        for number, when in enumerate(arrives):
            yield world.timeout(when - world.now)
            world.process(job(number))

    world.process(source())
    world.run()
    return {"seconds": time.perf_counter() - began, "version": simpy.__version__}, np.array(ends)


if __name__ == "__main__":
    serve({"run": run})
