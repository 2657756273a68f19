"""Flat pairs for a state that is handed on: where to, and that it went there."""

import math
from collections.abc import Sequence
from typing import Final

from eapg_split.domain.error_budget import MAX_RESULT_DB
from eapg_split.domain.telemetry import MAX_LINKS, LinkSight
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest
from eapg_split.rpc.convert_checks import with_numbers
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.runtime.events import Hop
from eapg_split.runtime.peer import Onward

MAX_ONWARD: Final = 8
_MAX_TEXT: Final = 200


def neighbour_to_proto(sight: LinkSight) -> node_pb2.Neighbour:
    return node_pb2.Neighbour(node=sight.target, bits_per_s=sight.bits_per_s)


def neighbours_from_proto(message: node_pb2.NodeDescription) -> tuple[LinkSight, ...]:
    """The nodes that one reaches; names and rates that make no sense are left out."""
    return tuple(
        LinkSight(message.node, each.node, each.bits_per_s)
        for each in message.reaches[:MAX_LINKS]
        if 1 <= len(each.node) <= _MAX_TEXT and 0 <= each.bits_per_s < math.inf
    )


def onward_to_proto(onward: Sequence[Onward]) -> list[node_pb2.RunOnward]:
    return [
        node_pb2.RunOnward(
            node=each.node, stop_step=each.stop_step, codec=each.codec, quality_db=each.quality_db
        )
        for each in onward
    ]


def onward_from_proto(messages: Sequence[node_pb2.RunOnward], stop_step: int) -> tuple[Onward, ...]:
    """Where a state goes after a segment that ends at `stop_step`. Raises InvalidRequest."""
    if len(messages) > MAX_ONWARD:
        raise InvalidRequest(f"A state is handed on at most {MAX_ONWARD} times.")
    for each in messages:
        if not (1 <= len(each.node) <= _MAX_TEXT and len(each.codec) <= _MAX_TEXT):
            raise InvalidRequest("A state is handed on to a node that has a name, through a codec.")
        if not 0 <= each.quality_db <= MAX_RESULT_DB or each.stop_step <= stop_step:
            raise InvalidRequest("Whoever a state is handed on to has steps to do, and a quality to keep.")
        stop_step = each.stop_step
    return tuple(Onward(NodeId(each.node), each.stop_step, each.codec, each.quality_db) for each in messages)


def further_peaks(message: node_pb2.RunDone) -> dict[str, int]:
    """Resident memory of the nodes that a state was handed on to; no more than there can be."""
    peaks = message.further_peaks
    return dict(peaks) if len(peaks) <= MAX_ONWARD and all(len(node) <= _MAX_TEXT for node in peaks) else {}


def hop_to_proto(hop: Hop) -> common_pb2.Hop:
    return common_pb2.Hop(
        source=hop.source,
        target=hop.target,
        step=hop.step,
        codec=hop.codec,
        raw_bytes=hop.raw_bytes,
        wire_bytes=hop.wire_bytes,
        seconds=hop.seconds,
        start_s=hop.start_s,
        encode_s=hop.encode_s,
        decode_s=hop.decode_s,
        sent=hop.sent,
    )


def hop_from_proto(message: common_pb2.Hop) -> Hop:
    """Raises CorruptPayload for numbers that are none."""
    return with_numbers(_hop(message))


def _hop(message: common_pb2.Hop) -> Hop:
    return Hop(
        source=message.source,
        target=message.target,
        step=message.step,
        codec=message.codec,
        raw_bytes=message.raw_bytes,
        wire_bytes=message.wire_bytes,
        seconds=message.seconds,
        start_s=message.start_s,
        encode_s=message.encode_s,
        decode_s=message.decode_s,
        sent=tuple(message.sent),
    )
