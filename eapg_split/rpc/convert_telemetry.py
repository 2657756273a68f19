"""Telemetry to its message and back. What another node says of itself is believed only within sane bounds."""

import math
from typing import Final

from eapg_split.domain.telemetry import (
    MAX_LINKS,
    MAX_RESIDENT,
    RANGES,
    UNKNOWN,
    LinkSight,
    Quality,
    Reading,
    Telemetry,
    reading,
)
from eapg_split.errors import InvalidRequest
from eapg_split.rpc.v1 import node_pb2

SHORTEST_INTERVAL_S: Final = 0.1
LONGEST_INTERVAL_S: Final = 60.0
_MAX_NAME: Final = 200
_MAX_RATE: Final = 1e13  # bits/s; the fastest links carry a tenth of it
_MAX_SIGMA: Final = 10.0
_MAX_SECONDS: Final = 1e7


def interval_to_proto(interval_s: float) -> node_pb2.TelemetryRequest:
    """Raises InvalidRequest outside 0.1 to 60 seconds."""
    if not SHORTEST_INTERVAL_S <= interval_s <= LONGEST_INTERVAL_S:
        raise InvalidRequest(
            f"Telemetry comes every {SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g} seconds: ask within that."
        )
    return node_pb2.TelemetryRequest(interval_s=interval_s)


def interval_from_proto(message: node_pb2.TelemetryRequest) -> float:
    """Raises InvalidRequest outside 0.1 to 60 seconds."""
    return interval_to_proto(message.interval_s).interval_s


def telemetry_to_proto(value: Telemetry) -> node_pb2.NodeTelemetry:
    """What is unknown is left out. `at_s` stays here: the clocks have nothing in common."""
    message = node_pb2.NodeTelemetry(
        draining=value.draining,
        resident=[part[:_MAX_NAME] for part in value.resident[:MAX_RESIDENT]],
        links=[
            node_pb2.LinkSight(
                source=link.source,
                target=link.target,
                bits_per_s=link.bits_per_s,
                sigma=link.sigma,
                rtt_s=link.rtt_s,
                age_s=min(link.age_s, _MAX_SECONDS),
            )
            for link in value.links[:MAX_LINKS]
        ],
    )
    for name in RANGES:
        known: Reading = getattr(value, name)
        if known.known:
            sent = node_pb2.Reading(value=known.value, modelled=known.quality is Quality.MODELLED)
            getattr(message, name).CopyFrom(sent)
    return message


def telemetry_from_proto(message: node_pb2.NodeTelemetry, *, at_s: float) -> Telemetry:
    """Absurd numbers become unknown, and links with absurd ones are left out: a node that lies is no error."""
    links = (_link(each) for each in message.links[:MAX_LINKS])
    return Telemetry(
        at_s=at_s,
        draining=message.draining,
        resident=tuple(part[:_MAX_NAME] for part in message.resident[:MAX_RESIDENT]),
        links=tuple(link for link in links if link is not None),
        **{name: _reading(message, name) for name in RANGES},
    )


def _reading(message: node_pb2.NodeTelemetry, name: str) -> Reading:
    if not message.HasField(name):
        return UNKNOWN
    sent: node_pb2.Reading = getattr(message, name)
    return reading(name, sent.value, Quality.MODELLED if sent.modelled else Quality.MEASURED)


def _link(message: node_pb2.LinkSight) -> LinkSight | None:
    named = all(1 <= len(name) <= _MAX_NAME for name in (message.source, message.target))
    sane = (
        0 < message.bits_per_s <= _MAX_RATE
        and 0 <= message.sigma <= _MAX_SIGMA
        and all(0 <= seconds <= _MAX_SECONDS for seconds in (message.rtt_s, message.age_s))
    )
    if not (named and sane and math.isfinite(message.bits_per_s)):
        return None
    return LinkSight(
        message.source, message.target, message.bits_per_s, message.sigma, message.rtt_s, message.age_s
    )
