"""Jobs as chains of services, first come, first served, without a policy: the plain queueing network, and fast.

A station serves in the order of arrival and does not break off, so that a job's end there is known the moment it
arrives: it begins when the first of the servers is free. One event for each service is all that remains, and a
station is a number, or a heap of as many numbers as it has servers.
"""

from array import array
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import InvalidRequest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_SERVICES: Final = 50_000_000  # of all jobs together: each takes about 80 bytes
_BUCKET: Final = 64  # events of a bucket, on average


@dataclass(frozen=True, eq=False)
class Chains:
    """J jobs of L services each.

    `servers` has the number of servers of each station, `routes` [R, L] the stations of each kind of job in order.
    Job j arrives at `arrives_s[j]` (they do not go down), is of the kind `kind[j]`, and needs `service_s[j, l]` seconds
    of its l-th station. Raises InvalidRequest for what does not fit together.
    """

    servers: Ints
    routes: Ints
    arrives_s: Floats
    kind: Ints
    service_s: Floats

    def __post_init__(self) -> None:
        jobs, services = len(self.arrives_s), self.routes.shape[-1]
        if jobs * services > MAX_SERVICES:
            raise InvalidRequest(f"Chains have at most {MAX_SERVICES} services in all: simulate fewer jobs.")
        if self.service_s.shape != (jobs, services) or self.kind.shape != (jobs,) or self.routes.ndim != 2:
            raise InvalidRequest(
                "Chains need an arrival, a kind and as many services as the route for each job."
            )
        known = ((self.routes >= 0) & (self.routes < len(self.servers))).all()
        kinds = ((self.kind >= 0) & (self.kind < len(self.routes))).all()
        if not (known and kinds and (self.servers >= 1).all()):
            raise InvalidRequest("A route names a station that is not there, or a station has no server.")
        sane = np.isfinite(self.service_s).all() and (self.service_s >= 0).all()
        if not sane or not np.isfinite(self.arrives_s).all() or (np.diff(self.arrives_s) < 0).any():
            raise InvalidRequest("Arrivals go up in time, and no service is negative.")


def ends_s(chains: Chains) -> Floats:
    """[J] when each job has passed all of its stations."""
    # What is to come lies in buckets of time, each with about as many events however large the network is; and in
    # compact arrays, as it is the memory that counts once there are many nodes.
    jobs, length = chains.service_s.shape
    if not jobs:
        return np.zeros(0)
    station = array("q", chains.routes[chains.kind].astype(np.int64).tobytes())
    moment = array(
        "d", chains.service_s.astype(np.float64).tobytes()
    )  # seconds of each service, then its end
    free = array("d", bytes(8 * len(chains.servers)))  # when the only server is
    pools = [[0.0] * count if count > 1 else None for count in chains.servers.tolist()]
    first_s, span_s = float(chains.arrives_s[0]), float(np.ptp(chains.arrives_s))
    per_s = jobs * length / _BUCKET / span_s if span_s > 0 else 1.0  # buckets a second
    fresh = _by_bucket(((chains.arrives_s - first_s) * per_s).astype(np.int64))
    numbers = list(fresh)  # of the buckets, as a heap
    buckets = {number: array("q") for number in numbers}
    while numbers:
        bucket = heappop(numbers)
        near = [(moment[at - 1], at) for at in buckets.pop(bucket)]  # a job arrives then for the service `at`
        begun, done = fresh.pop(bucket, (0, 0))
        jobs_at = range(begun * length, done * length, length)
        near += zip(chains.arrives_s[begun:done].tolist(), jobs_at, strict=True)
        heapify(near)
        while near:
            now, at = near[0]
            place = station[at]
            pool = pools[place]
            begin = free[place] if pool is None else pool[0]
            end = (now if now > begin else begin) + moment[at]
            if pool is None:
                free[place] = end
            else:
                heapreplace(pool, end)
            moment[at] = end
            at += 1
            if at % length == 0:
                heappop(near)
            elif (then := int((end - first_s) * per_s)) == bucket:
                heapreplace(near, (end, at))
            else:
                heappop(near)
                if then in buckets:
                    buckets[then].append(at)
                else:
                    buckets[then] = array("q", (at,))
                    heappush(numbers, then)
    return np.frombuffer(moment)[length - 1 :: length].copy()


def _by_bucket(bucket: Ints) -> dict[int, tuple[int, int]]:
    """The first of the jobs that arrive in each bucket, and the one after the last, by the bucket's number in order."""
    numbers, starts = np.unique(bucket, return_index=True)
    stops = [*starts[1:].tolist(), len(bucket)]
    return dict(zip(numbers.tolist(), zip(starts.tolist(), stops, strict=True), strict=True))
