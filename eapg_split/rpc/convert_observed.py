"""Flat pairs for what a job saw of its nodes and links."""

from typing import assert_never

from eapg_split.domain.telemetry import MAX_RESIDENT, RANGES
from eapg_split.errors import CorruptPayload
from eapg_split.rpc.convert_checks import with_numbers
from eapg_split.rpc.v1 import job_pb2
from eapg_split.runtime.observed import (
    LinkBelieved,
    LinkProbed,
    NodeBack,
    NodeDescribed,
    NodeLost,
    Observed,
    RoundTrip,
    StageSeconds,
    TelemetryHeard,
)
from eapg_split.runtime.profile_store import MOST_STAGES


def observed_to_proto(event: Observed) -> job_pb2.JobEvent:
    match event:
        case NodeDescribed():
            return job_pb2.JobEvent(described=_described_to_proto(event))
        case LinkBelieved():
            return job_pb2.JobEvent(believed=_believed_to_proto(event))
        case LinkProbed():
            return job_pb2.JobEvent(probed=_probed_to_proto(event))
        case RoundTrip(node, seconds, at_s):
            return job_pb2.JobEvent(round_trip=job_pb2.RoundTrip(node=node, seconds=seconds, at_s=at_s))
        case TelemetryHeard():
            return job_pb2.JobEvent(telemetry=_telemetry_to_proto(event))
        case NodeLost(node, reason, at_s):
            return job_pb2.JobEvent(lost=job_pb2.NodeLost(node=node, reason=reason, at_s=at_s))
        case NodeBack(node, at_s):
            return job_pb2.JobEvent(back=job_pb2.NodeBack(node=node, at_s=at_s))
        case _:
            assert_never(event)


def observed_from_proto(message: job_pb2.JobEvent) -> Observed | None:
    """None for an event of another kind. Raises CorruptPayload for what no node says."""
    match message.WhichOneof("kind"):
        case "described":
            return _described_from_proto(message.described)
        case "believed":
            return _believed_from_proto(message.believed)
        case "probed":
            return _probed_from_proto(message.probed)
        case "round_trip":
            trip = message.round_trip
            return RoundTrip(trip.node, trip.seconds, trip.at_s)
        case "telemetry":
            return _telemetry_from_proto(message.telemetry)
        case "lost":
            return NodeLost(message.lost.node, message.lost.reason, message.lost.at_s)
        case "back":
            return NodeBack(message.back.node, message.back.at_s)
    return None


def _described_to_proto(event: NodeDescribed) -> job_pb2.NodeDescribed:
    stages = [
        job_pb2.StageSeconds(
            stage=each.stage,
            step_s=each.step_s,
            entry_s=each.entry_s,
            load_s=each.load_s,
            watts=each.watts,
            uncertain=each.uncertain,
        )
        for each in event.stages
    ]
    return job_pb2.NodeDescribed(
        node=event.node,
        tier=event.tier,
        engine=event.engine,
        memory_bytes=event.memory_bytes,
        price_per_s=event.price_per_s,
        stages=stages,
        at_s=event.at_s,
    )


def _described_from_proto(message: job_pb2.NodeDescribed) -> NodeDescribed:
    if len(message.stages) > MOST_STAGES:
        raise CorruptPayload("A node was described with too many stages: update the older of the two.")
    stages = tuple(
        with_numbers(
            StageSeconds(each.stage, each.step_s, each.entry_s, each.load_s, each.watts, each.uncertain)
        )
        for each in message.stages
    )
    return NodeDescribed(
        message.node,
        message.tier,
        message.engine,
        message.memory_bytes,
        message.price_per_s,
        stages,
        message.at_s,
    )


def _believed_to_proto(event: LinkBelieved) -> job_pb2.LinkBelieved:
    return job_pb2.LinkBelieved(
        source=event.source,
        target=event.target,
        bits_per_s=event.bits_per_s,
        rtt_s=event.rtt_s,
        sigma=event.sigma,
        known=event.known,
        age_s=event.age_s,
        relayed=event.relayed,
        at_s=event.at_s,
    )


def _believed_from_proto(message: job_pb2.LinkBelieved) -> LinkBelieved:
    return LinkBelieved(
        message.source,
        message.target,
        message.bits_per_s,
        message.rtt_s,
        message.sigma,
        message.known,
        message.age_s,
        message.relayed,
        message.at_s,
    )


def _probed_to_proto(event: LinkProbed) -> job_pb2.LinkProbed:
    return job_pb2.LinkProbed(
        source=event.source,
        target=event.target,
        bytes=event.bytes,
        seconds=event.seconds,
        at_s=event.at_s,
        broken_off=event.broken_off,
    )


def _probed_from_proto(message: job_pb2.LinkProbed) -> LinkProbed:
    return LinkProbed(
        message.source, message.target, message.bytes, message.seconds, message.at_s, message.broken_off
    )


def _telemetry_to_proto(event: TelemetryHeard) -> job_pb2.TelemetryHeard:
    return job_pb2.TelemetryHeard(
        node=event.node,
        readings=event.readings,
        resident=event.resident[:MAX_RESIDENT],
        draining=event.draining,
        at_s=event.at_s,
    )


def _telemetry_from_proto(message: job_pb2.TelemetryHeard) -> TelemetryHeard:
    """Readings that nobody knows here, or that are absurd, are left out."""
    readings = {
        name: message.readings[name]
        for name, (low, high) in RANGES.items()
        if name in message.readings and max(0.0, low) <= message.readings[name] <= high
    }
    resident = tuple(message.resident[:MAX_RESIDENT])
    return TelemetryHeard(message.node, readings, resident, message.draining, message.at_s)
