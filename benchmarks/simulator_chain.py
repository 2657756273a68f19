"""The 3-tier chain that simulators are compared by: device, uplink, edge, backhaul, cloud, downlink, decode."""

from typing import Final

import numpy as np

from simulations.chain import Chains
from simulations.streams import stream

MEAN_S: Final = (2.0, 1.0, 3.0, 0.05, 1.5, 1.0, 0.5)
DEVICES_AN_EDGE: Final = 25
EDGE_SERVERS: Final = 4
EVERY_S: Final = 40.0  # a job of a device, on average


def three_tiers(devices: int, jobs: int, *, seed: int) -> Chains:
    """`devices` with a job each every 40 s, an edge with four servers for 25 of them, and a cloud that is large enough.

    Device, uplink, downlink and backhaul serve one at a time; all services are exponential.
    """
    edges = max(1, devices // DEVICES_AN_EDGE)
    device = np.arange(devices)
    edge, cloud = 3 * devices + device % edges, 3 * devices + 2 * edges
    uplink, downlink = devices + device, 2 * devices + device
    way = (device, uplink, edge, edge + edges, np.full(devices, cloud), downlink, device)
    servers = np.ones(cloud + 1, np.int64)
    servers[3 * devices : 3 * devices + edges] = EDGE_SERVERS
    servers[cloud] = max(64, int(0.06 * devices))
    draws = stream(seed, "arrivals")
    return Chains(
        servers=servers,
        routes=np.stack(way, axis=1),
        arrives_s=np.cumsum(draws.exponential(EVERY_S / devices, jobs)),
        kind=draws.integers(devices, size=jobs),
        service_s=stream(seed, "services").exponential(MEAN_S, (jobs, len(MEAN_S))),
    )
