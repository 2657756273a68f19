"""Where the nodes of a network stand on its map, and which of its ways are lines there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.topology import NodeId, Tier
from simulations.world import Layout

MAX_DOTS: Final = 2500  # devices beyond so many are one dot for each node that they are at
_IN_COLUMNS: Final = 60  # nodes that stand in columns, tier by tier
A_COLUMN: Final = 12
_GOLDEN: Final = math.pi * (3 - math.sqrt(5))

Ends = tuple[str, str]


@dataclass
class Network:
    """Dots with their places, tiers and names, and lines between them; x goes right and y up, in one unit."""

    places: dict[str, tuple[float, float]]
    tiers: dict[str, Tier]
    lines: list[Ends]
    dots: dict[str, str]  # of each node; many devices may share one
    counts: dict[str, int]  # nodes of a dot
    _through: dict[Ends, str] = field(default_factory=dict)  # ways that are two others, and whom they pass

    def route(self, source: str, target: str) -> list[Ends]:
        """The lines between two nodes, as one way is made of others."""
        middle = self._through.get((source, target))
        if middle is None:
            return [line_between(self.dots[source], self.dots[target])]
        return self.route(source, middle) + self.route(middle, target)


def line_between(one: str, other: str) -> Ends:
    """Both directions of a link are one line."""
    return (one, other) if one < other else (other, one)


def network(layout: Layout) -> Network:
    """The map of a layout."""
    through = _through(layout)
    homes = _homes(layout)
    devices = [spec.id for spec in layout.nodes if spec.tier is Tier.DEVICE]
    dots: dict[str, str] = {spec.id: spec.id for spec in layout.nodes}
    if len(devices) > MAX_DOTS:
        dots |= {name: f"devices of {homes[name]}" for name in devices}
    tiers: dict[str, Tier] = {dots[spec.id]: spec.tier for spec in layout.nodes}
    counts: dict[str, int] = {}
    for dot in dots.values():
        counts[dot] = counts.get(dot, 0) + 1
    known = {dots[spec.id]: spec.place for spec in layout.nodes if spec.place is not None}
    home_of = {dots[name]: home for name, home in homes.items()}
    if known:
        places = _with_the_rest(tiers, known)
    elif len(tiers) <= _IN_COLUMNS:
        places = _columns(tiers)
    else:
        places = _rings(tiers, home_of)
    ways = (line_between(dots[a], dots[b]) for a, b in layout.ways if (a, b) not in through)
    lines = [line for line in dict.fromkeys(ways) if line[0] != line[1]]
    return Network(places, tiers, lines, dots, counts, through)


def _through(layout: Layout) -> dict[Ends, str]:
    """Ways whose media are those of two other ways one after the other, and the node between these."""
    after: dict[NodeId, list[NodeId]] = {}
    for source, target in layout.ways:
        after.setdefault(source, []).append(target)
    tiers = {spec.id: spec.tier for spec in layout.nodes}
    found: dict[Ends, str] = {}
    for (source, target), way in layout.ways.items():
        if len(way.media) < 2:
            continue
        for middle in after[source]:
            rest = layout.ways.get((middle, target)) if middle != target else None
            if rest is None or tiers[middle] is Tier.DEVICE:
                continue
            if {*layout.ways[source, middle].media, *rest.media} == {*way.media} and rest.media:
                found[source, target] = middle
                break
    return found


def _homes(layout: Layout) -> dict[str, str]:
    """The node that each device is at: the nearest that it reaches."""
    tiers = {spec.id: spec.tier for spec in layout.nodes}
    best: dict[str, tuple[float, str]] = {}
    for (source, target), way in layout.ways.items():
        if tiers[source] is Tier.DEVICE and tiers[target] is not Tier.DEVICE:
            best[source] = min(best.get(source, (math.inf, "")), (way.delay_s, target))
    return {spec.id: best.get(spec.id, (0.0, ""))[1] for spec in layout.nodes if spec.tier is Tier.DEVICE}


def _columns(tiers: Mapping[str, Tier]) -> dict[str, tuple[float, float]]:
    """Devices left, edges in the middle, clouds right."""
    places: dict[str, tuple[float, float]] = {}
    x = 0.0
    by_tier = {tier: [name for name, each in tiers.items() if each is tier] for tier in Tier}
    high = {
        tier: math.ceil(len(names) / math.ceil(len(names) / A_COLUMN or 1)) for tier, names in by_tier.items()
    }
    rows = max(high.values())
    for tier, names in by_tier.items():
        for begin in range(0, len(names), high[tier] or 1):
            column = names[begin : begin + high[tier]]
            gap = rows / (len(column) + 1) if len(column) < rows else 1.0
            first = (len(column) - 1) * gap / 2
            places |= {name: (x, first - gap * index) for index, name in enumerate(column)}
            x += 1.0
        x += max(3.0, 0.7 * rows) if names else 0.0
    return places


def _rings(tiers: Mapping[str, Tier], homes: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Clouds in the middle, edges in a ring around them, and around each node the devices that are at it."""
    at: dict[str, list[str]] = {}
    for device, home in homes.items():
        at.setdefault(home, []).append(device)
    clouds = [name for name, tier in tiers.items() if tier is Tier.CLOUD]
    edges = [name for name, tier in tiers.items() if tier is Tier.EDGE]
    reach = {name: 1.2 + 0.62 * math.sqrt(len(at.get(name, ()))) for name in (*edges, *clouds)}
    around = sum(2.2 * reach[name] for name in edges)
    inner = sum(reach[name] for name in clouds) + 2.0
    radius = max(around / (2 * math.pi), inner + max((reach[name] for name in edges), default=0.0))
    places = {name: (1.5 * index, 0.0) for index, name in enumerate(clouds)}
    angle = math.pi / 2
    for name in edges:
        half = math.pi * 2.2 * reach[name] / around
        angle -= half
        places[name] = radius * math.cos(angle), radius * math.sin(angle)
        angle -= half
    for home, names in at.items():
        x, y = places.get(home, (0.0, 0.0))
        for index, name in enumerate(names):
            far = 0.9 + 0.62 * math.sqrt(index + 0.5)
            places[name] = x + far * math.cos(index * _GOLDEN), y + far * math.sin(index * _GOLDEN)
    for name in tiers:
        places.setdefault(name, (0.0, 0.0))
    return places


def _with_the_rest(
    tiers: Mapping[str, Tier], known: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Places as they are given; what has none stands above them, clouds in the middle."""
    xs, ys = [x for x, _ in known.values()], [y for _, y in known.values()]
    width, top = (max(xs) - min(xs)) or 1.0, max(ys)
    rest = [name for name in tiers if name not in known]
    places = dict(known)
    for index, name in enumerate(rest):
        places[name] = min(xs) + width * (index + 1) / (len(rest) + 1), top + 0.14 * width
    return places


def label_of(name: str, counts: Mapping[str, int]) -> str:
    """What stands beside a dot."""
    return f"{counts[name]} {name}" if counts.get(name, 1) > 1 else name


def bounds(places: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """Left, right, bottom, top, with some room around."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    room = 0.06 * max(width, height, 1e-9)
    return min(xs) - room, max(xs) + room, min(ys) - room, max(ys) + room
