"""The chains of services in salabim: a component for each job, a resource for each station, no animation."""

import time
from collections.abc import Generator
from typing import Any

import numpy as np
import salabim
from peer_pipe import Array, Fields, Reply, serve


def run(fields: Fields, array: Array) -> Reply:
    """Of the first `jobs` of the chains in the file `path`: wall seconds, and when each job ended."""
    with np.load(fields["path"]) as chains:
        servers, routes = chains["servers"].tolist(), chains["routes"].tolist()
        arrives, kind = chains["arrives_s"].tolist()[: fields["jobs"]], chains["kind"].tolist()
        service = chains["service_s"].tolist()
    began = time.perf_counter()
    salabim.yieldless(False)
    world = salabim.Environment(trace=False)
    stations = [salabim.Resource(capacity=count) for count in servers]
    ends = [0.0] * len(arrives)

    class Job(salabim.Component):  # type: ignore[misc]  # salabim has no types
        def setup(self, number: int) -> None:
            self.number = number

        def process(self) -> Generator[Any, Any, None]:
            number = self.number
            for station, seconds in zip(routes[kind[number]], service[number], strict=True):
                yield self.request(stations[station])
                yield self.hold(seconds)
                self.release(stations[station])
            ends[number] = world.now()

    class Source(salabim.Component):  # type: ignore[misc]
        def process(self) -> Generator[Any, Any, None]:
            for number, when in enumerate(arrives):
                yield self.hold(when - world.now())
                Job(number=number)

    Source()
    world.run()
    return {"seconds": time.perf_counter() - began, "version": salabim.__version__}, np.array(ends)


if __name__ == "__main__":
    serve({"run": run})
