"""What `eapg-split nodes` shows of each node: cells for people, an object for programs."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from eapg_split.cli.text import duration, size, table
from eapg_split.domain.telemetry import RANGES, LinkSight, Quality, Reading, Telemetry
from eapg_split.runtime.peer import NodeDescription

HEADER: Final = (
    "node", "tier", "engine", "load", "sessions", "queue", "battery", "power", "heat", "clock", "memory free",
)  # fmt: skip
_NOTHING: Final = "-"


@dataclass
class NodeRow:
    """One node of the file, and what is known of it so far; `error` says why it cannot be reached."""

    name: str
    address: str
    description: NodeDescription | None = None
    look: Telemetry | None = None
    error: str = ""

    @property
    def answered(self) -> bool:
        return bool(self.error) or (self.description is not None and self.look is not None)


def cells(row: NodeRow) -> tuple[str, ...]:
    """One for each column of HEADER. What is unknown is `-`, what is modelled begins with `~`."""
    description, look = row.description, row.look or Telemetry()
    name = row.name if description is None else description.node.id
    if row.error:
        return (name, "unreachable", *[_NOTHING] * (len(HEADER) - 2))
    if description is None:
        return (name, "asked", *[_NOTHING] * (len(HEADER) - 2))
    sessions = f"{description.running_sessions}" if not look.sessions.known else f"{look.sessions.value:.0f}"
    return (
        name,
        str(description.node.tier),
        ", ".join(description.node.engines),
        shown(look.load, percent),
        "drains" if look.draining else f"{sessions} of {description.limits.sessions}",
        shown(look.queue_s, duration),
        battery(look),
        shown(look.power_w, lambda watts: f"{watts:.1f} W"),
        shown(look.temperature_c, lambda celsius: f"{celsius:.1f} C"),
        shown(look.clock_ratio, percent),
        shown(look.memory_free_bytes, lambda count: size(int(count))),
    )


def below(rows: Iterable[NodeRow]) -> list[str]:
    """What follows the table: links that nodes have used, and why others cannot be reached."""
    lines = []
    for row in rows:
        if row.error:
            lines.append(f"{row.name} ({row.address}): {row.error}")
        elif row.look is not None:
            lines += [_link(link) for link in row.look.links]
    return lines


def plain(rows: Sequence[NodeRow]) -> str:
    """Everything as text."""
    lines = below(rows)
    return "\n".join([table(HEADER, [cells(row) for row in rows]), *([""] if lines else []), *lines])


def as_object(row: NodeRow) -> dict[str, object]:
    """One node for programs: what is unknown is null, and `modelled` names the readings that are."""
    found: dict[str, object] = {"name": row.name, "address": row.address, "error": row.error or None}
    if row.description is not None:
        found |= {
            "node": row.description.node.id,
            "tier": str(row.description.node.tier),
            "engines": list(row.description.node.engines),
            "version": row.description.version,
            "fingerprint": row.description.fingerprint,
            "session_limit": row.description.limits.sessions,
        }
    if row.look is not None:
        found |= telemetry_object(row.look) | {"draining": row.look.draining}
    return found


def telemetry_object(look: Telemetry) -> dict[str, object]:
    """One look for programs."""
    readings: dict[str, Reading] = {name: getattr(look, name) for name in RANGES}
    return {
        **{name: value.value if value.known else None for name, value in readings.items()},
        "modelled": [name for name, value in readings.items() if value.quality is Quality.MODELLED],
        "resident": list(look.resident),
        "links": [_link_object(link) for link in look.links],
    }


def shown(value: Reading, words: Callable[[float], str]) -> str:
    if not value.known:
        return _NOTHING
    return ("~" if value.quality is Quality.MODELLED else "") + words(value.value)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def battery(look: Telemetry) -> str:
    """The charge, and where the power comes from."""
    charge = shown(look.charge, percent)
    if not look.plugged.known:
        return charge
    where = "mains" if look.plugged.value >= 0.5 else "draining"
    return where if charge == _NOTHING else f"{charge} {where}"


def _link(link: LinkSight) -> str:
    rate, spread = link.bits_per_s / 1e6, math.exp(link.sigma)
    rtt = f", round trip {duration(link.rtt_s)}" if link.rtt_s else ""
    return (
        f"{link.source} -> {link.target}: {rate:.3g} Mbit/s (within a factor of {spread:.2g}{rtt},"
        f" {duration(link.age_s)} ago)"
    )


def _link_object(link: LinkSight) -> dict[str, object]:
    return {
        "source": link.source,
        "target": link.target,
        "bits_per_s": link.bits_per_s,
        "sigma": link.sigma,
        "rtt_s": link.rtt_s or None,
        "age_s": link.age_s,
    }
