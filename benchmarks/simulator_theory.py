"""Queues whose mean time is known in closed form, and how far the simulated ones are from it."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from figures import Row

from simulations.chain import Chains, ends_s
from simulations.kernel import Kernel
from simulations.links import Media
from simulations.streams import stream
from simulations.traces import DRIVING_5G, RateTrace, synthetic

_RUNS: Final = 8
_BAR: Final = 0.01


def measure(*, quick: bool) -> Iterator[Row]:
    """One flow; M/M/1 and M/M/c at 70 % load: the mean time in the system, over several runs."""
    yield flow()
    for servers in (1, 4):
        jobs = 100_000 if quick else 1_000_000
        means = [sojourn_s(0.7 * servers, servers, jobs, seed) for seed in range(_RUNS)]
        expected, found = mean_sojourn_s(0.7 * servers, servers), float(np.mean(means))
        off = abs(found / expected - 1)
        name = "M/M/1" if servers == 1 else f"M/M/{servers}"
        label = f"{name} at 70 % load, mean time of {_RUNS} x {jobs} jobs: off by"
        yield Row(label, off, {"theory, s": expected, "ours, s": found}, f"<= {_BAR}", off <= _BAR)


def flow() -> Row:
    """One transfer over a trace whose rate changes every second: when its last bit passes."""
    trace = synthetic(DRIVING_5G, 600, seed=1)
    off = 0.0
    for begin_s, bits in ((3.3, 1e6), (77.7, 80e6), (400.0, 2e9)):
        taken_s = _passed_s(trace, begin_s, bits) - begin_s
        off = max(off, abs(taken_s / (trace.arrival(begin_s, bits) - begin_s) - 1))
    return Row(
        "one flow over a 5G trace, time of 1 to 2 000 Mbit: off by", off, {}, f"<= {_BAR}", off <= _BAR
    )


def _passed_s(trace: RateTrace, begin_s: float, bits: float) -> float:
    """When the simulated flow has passed."""
    kernel, done = Kernel(), list[float]()
    media = Media(kernel, [trace])

    def begin(_: object) -> None:
        media.send((0,), bits, lambda: done.append(kernel.now_s))

    kernel.at(begin_s, begin)
    kernel.run()
    return done[0]


def sojourn_s(arrivals_per_s: float, servers: int, jobs: int, seed: int) -> float:
    """The simulated mean time of jobs that need a second on average."""
    gaps = stream(seed, "arrivals").exponential(1 / arrivals_per_s, jobs)
    chains = Chains(
        servers=np.array([servers]),
        routes=np.zeros((1, 1), np.int64),
        arrives_s=np.cumsum(gaps),
        kind=np.zeros(jobs, np.int64),
        service_s=stream(seed, "services").exponential(1.0, (jobs, 1)),
    )
    return float((ends_s(chains) - chains.arrives_s).mean())


def mean_sojourn_s(arrivals_per_s: float, servers: int) -> float:
    """The same by Erlang's formula."""
    load = arrivals_per_s / servers
    waits = arrivals_per_s**servers / (math.factorial(servers) * (1 - load))
    free = sum(arrivals_per_s**k / math.factorial(k) for k in range(servers))
    return 1.0 + waits / (waits + free) / (servers * (1 - load))
