"""Networks by a rule: as tables of nodes and links, as one would write them by hand."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from simulations.presets import Table

_DEVICE: Final = {"like": "phone"}
_EDGE: Final = {"like": "edge-server"}
_CLOUD: Final = {"like": "cloud-server"}
_RADIO: Final = {"rate_mbps": 20.0, "down": 3.0, "delay_ms": 8.0}
_BACKHAUL: Final = {"rate_mbps": 1000.0, "delay_ms": 10.0}


@dataclass
class Network:
    """Tables of nodes by name, of media, and of links; `line_ms` is the delay of an edge's line to the cloud."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    media: dict[str, Table] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)
    line_ms: float = 0.0


Draws = np.random.Generator


def star(wanted: Table, draws: Draws) -> Network:
    """Every device has a link of its own to one edge and, past it, to the cloud."""
    del draws
    return _with_edges(wanted, [0] * int(wanted["devices"]), edges=1)


def tree(wanted: Table, draws: Draws) -> Network:
    """Devices are dealt out to edges, and all edges lead to the cloud by a line of their own that devices share."""
    del draws
    edges = int(wanted.get("edges", max(1, math.ceil(int(wanted["devices"]) / 25))))
    return _with_edges(wanted, [device % edges for device in range(int(wanted["devices"]))], edges=edges)


def metro(wanted: Table, draws: Draws) -> Network:
    """A tree whose neighbouring edges are a ring, and where devices gather: an edge's share follows Zipf's law."""
    edges = int(wanted.get("edges", max(3, math.ceil(int(wanted["devices"]) / 50))))
    weights = 1 / np.arange(1, edges + 1)
    homes = draws.choice(edges, size=int(wanted["devices"]), p=weights / weights.sum())
    network = _with_edges(wanted, homes.tolist(), edges=edges)
    if edges > 2:
        for edge in range(edges):
            ends = {"from": f"edge-{edge + 1}", "to": f"edge-{(edge + 1) % edges + 1}"}
            network.links.append({**ends, "rate_mbps": 10_000.0, "delay_ms": 2.0})
    return network


def random_geometric(wanted: Table, draws: Draws) -> Network:
    """Devices and edges somewhere in a square of side 1: a device reaches each edge within `radius`, else the nearest.

    Delay grows with the distance, and the rate falls with its square.
    """
    devices, radius = int(wanted["devices"]), float(wanted.get("radius", 0.25))
    edges = int(wanted.get("edges", max(1, math.ceil(devices / 25))))
    places, sites = draws.random((devices, 2)), draws.random((edges, 2))
    network = _with_edges(wanted, [], edges=edges)
    for edge, site in enumerate(sites):
        network.nodes[f"edge-{edge + 1}"] |= {"place": site.tolist()}
    radio = {**_RADIO, **wanted.get("radio", {})}
    for device, place in enumerate(places):
        own = {**_DEVICE, **wanted.get("device", {}), "place": place.tolist()}
        network.nodes[f"device-{device + 1}"] = own
        away = np.hypot(*(sites - place).T)
        near = [edge for edge in range(edges) if away[edge] <= radius] or [int(away.argmin())]
        for edge in near:
            nearness = 1 / (1 + (float(away[edge]) / radius) ** 2)
            table = {**radio, "scale": float(radio.get("scale", 1.0)) * nearness}
            table["delay_ms"] = float(radio.get("delay_ms", 8.0)) + 10 * float(away[edge])
            _attach(network, f"device-{device + 1}", edge, table, cloud=edge == near[0])
    return network


def _with_edges(wanted: Table, homes: list[int], *, edges: int) -> Network:
    """A cloud, edges that lead there, and a device for each home."""
    network = Network()
    network.nodes["cloud"] = {**_CLOUD, **wanted.get("cloud", {})}
    backhaul = {**_BACKHAUL, **wanted.get("backhaul", {})}
    network.line_ms = float(backhaul["delay_ms"])
    for edge in range(edges):
        name = f"edge-{edge + 1}"
        network.nodes[name] = {**_EDGE, **wanted.get("edge", {})}
        rates = {key: value for key, value in backhaul.items() if key not in ("delay_ms", "down")}
        network.media[f"{name}-out"] = network.media[f"{name}-in"] = rates
        _link(network, name, "cloud", {"delay_ms": backhaul["delay_ms"]}, (f"{name}-out",), (f"{name}-in",))
    for device, edge in enumerate(homes):
        name = f"device-{device + 1}"
        network.nodes[name] = {**_DEVICE, **wanted.get("device", {})}
        _attach(network, name, edge, {**_RADIO, **wanted.get("radio", {})}, cloud=True)
    return network


def _attach(network: Network, device: str, edge: int, radio: Table, *, cloud: bool) -> None:
    """A radio to an edge and, through the same and the edge's line, to the cloud."""
    name, down = f"edge-{edge + 1}", float(radio.get("down", 1.0))
    rates = {key: value for key, value in radio.items() if key not in ("delay_ms", "down", "through")}
    up, back = f"{device}-{name}-up", f"{device}-{name}-down"
    network.media[up] = rates
    network.media[back] = {**rates, "scale": float(rates.get("scale", 1.0)) * down}
    shared = tuple(radio.get("through", ()))
    near = {"delay_ms": radio["delay_ms"]}
    _link(network, device, name, near, (up, *shared), (back, *shared))
    if cloud:
        far = {"delay_ms": float(radio["delay_ms"]) + network.line_ms}
        _link(network, device, "cloud", far, (up, *shared, f"{name}-out"), (back, *shared, f"{name}-in"))


def _link(
    network: Network, source: str, target: str, table: Table, there: tuple[str, ...], back: tuple[str, ...]
) -> None:
    network.links.append({**table, "from": source, "to": target, "through": list(there), "one_way": True})
    network.links.append({**table, "from": target, "to": source, "through": list(back), "one_way": True})


GENERATORS: Final[Mapping[str, Callable[[Table, Draws], Network]]] = MappingProxyType(
    {"star": star, "tree": tree, "metro": metro, "random-geometric": random_geometric}
)
