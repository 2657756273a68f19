"""Flat pairs between our values and their messages: `x_to_proto`, `x_from_proto`. Values check themselves."""

import math

from eapg_split.domain.error_budget import MAX_RESULT_DB
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc.convert_checks import with_numbers
from eapg_split.rpc.convert_handoff import declaration_to_proto
from eapg_split.rpc.convert_hop import (
    neighbour_to_proto,
    neighbours_from_proto,
    onward_from_proto,
    onward_to_proto,
)
from eapg_split.rpc.convert_profile import costs_to_proto, profile_from_proto
from eapg_split.rpc.convert_telemetry import telemetry_from_proto, telemetry_to_proto
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import StepDone
from eapg_split.runtime.handoff import Declaration
from eapg_split.runtime.peer import NodeDescription, SegmentOrder
from eapg_split.runtime.recall import HandBack
from eapg_split.runtime.settings import MAX_PRICE_PER_S, Limits

_MAX_SESSION = 64
_MAX_CODECS = 32
_MAX_TEXT = 200


def request_to_proto(request: Request) -> common_pb2.GenerationRequest:
    return common_pb2.GenerationRequest(
        prompt=request.prompt,
        prompt_withheld=request.prompt_withheld,
        seconds=request.seconds,
        fps=request.fps,
        width=request.width,
        height=request.height,
        steps=request.steps,
        seed=request.seed,
        guidance=request.guidance,
        privacy=request.privacy,
    )


def request_from_proto(message: common_pb2.GenerationRequest) -> Request:
    """Raises InvalidRequest for what is outside the documented ranges."""
    if len(message.steps) != 4:
        raise InvalidRequest("steps must be four whole numbers such as 16,8,4,4.")
    first, second, third, fourth = message.steps
    return Request(
        prompt=message.prompt,
        seconds=message.seconds,
        fps=message.fps,
        width=message.width,
        height=message.height,
        steps=(first, second, third, fourth),
        seed=message.seed,
        guidance=message.guidance,
        privacy=_privacy(message.privacy),
        prompt_withheld=message.prompt_withheld,
    )


def _privacy(text: str) -> Privacy:
    try:
        return Privacy(text)
    except ValueError:
        raise InvalidRequest(f"privacy must be one of {', '.join(Privacy)}, not {text[:32]!r}.") from None


def order_to_proto(order: SegmentOrder, state: Declaration) -> node_pb2.RunHeader:
    """An attempt after the first asks what the node has already."""
    return node_pb2.RunHeader(
        session=order.session,
        attempt=order.attempt,
        request=request_to_proto(order.request),
        start_step=order.start_step,
        stop_step=order.stop_step,
        fingerprint=order.fingerprint,
        result_codec=order.result_codec,
        previews=order.previews,
        remaining_s=order.deadline.wire_seconds(),
        state=declaration_to_proto(state),
        resume=order.attempt > 1,
        result_db=order.result_db,
        onward=onward_to_proto(order.onward),
        result_link_bits_per_s=order.result_link_bits_per_s,
        checkpoints=order.checkpoints,
    )


def order_from_proto(message: node_pb2.RunHeader) -> SegmentOrder:
    """Raises InvalidRequest; must be called in the event loop, on whose clock the deadline is."""
    if not math.isfinite(message.remaining_s) or message.remaining_s < 0:
        raise InvalidRequest("remaining_s must be a number of seconds, or 0 for no deadline.")
    if not 0 <= message.result_link_bits_per_s < math.inf:
        raise InvalidRequest(
            "The goodput of a link is a number of bits a second, or 0 where nobody knows it."
        )
    return SegmentOrder(
        session=session_from_proto(message.session),
        request=request_from_proto(message.request),
        start_step=message.start_step,
        stop_step=message.stop_step,
        fingerprint=message.fingerprint,
        attempt=message.attempt,
        result_codec=message.result_codec,
        result_db=_quality_db(message.result_db),
        onward=onward_from_proto(message.onward, message.stop_step),
        result_link_bits_per_s=message.result_link_bits_per_s,
        checkpoints=checkpoints_from_proto(message.checkpoints),
        previews=message.previews,
        deadline=Deadline.after(message.remaining_s),
    )


def checkpoints_from_proto(text: str) -> Checkpoints:
    """Raises InvalidRequest."""
    try:
        return Checkpoints(text)
    except ValueError:
        raise InvalidRequest(
            f"checkpoints must be one of {', '.join(Checkpoints)}, not {text[:32]!r}."
        ) from None


def recall_to_proto(terms: HandBack) -> node_pb2.RunRecall:
    return node_pb2.RunRecall(step=terms.step, codec=terms.codec, quality_db=terms.quality_db)


def recall_from_proto(message: node_pb2.RunRecall) -> HandBack:
    """Raises InvalidRequest for what is no recall."""
    return HandBack(message.step, message.codec, _quality_db(message.quality_db))


def _quality_db(value: float) -> float:
    if not 0 <= value <= MAX_RESULT_DB:
        raise InvalidRequest(f"A result's quality is 0 to {MAX_RESULT_DB:g} dB.")
    return value


def session_from_proto(text: str) -> str:
    """A session's id. Raises InvalidRequest unless it is 1 to 64 letters and digits."""
    if not (1 <= len(text) <= _MAX_SESSION and text.isascii() and text.isalnum()):
        raise InvalidRequest(f"A session's id is 1 to {_MAX_SESSION} letters and digits.")
    return text


def prepare_to_proto(order: SegmentOrder) -> node_pb2.PrepareRequest:
    return node_pb2.PrepareRequest(
        session=order.session,
        request=request_to_proto(order.request),
        start_step=order.start_step,
        stop_step=order.stop_step,
        fingerprint=order.fingerprint,
    )


def prepare_from_proto(message: node_pb2.PrepareRequest) -> SegmentOrder:
    return SegmentOrder(
        session=session_from_proto(message.session),
        request=request_from_proto(message.request),
        start_step=message.start_step,
        stop_step=message.stop_step,
        fingerprint=message.fingerprint,
    )


def description_to_proto(value: NodeDescription) -> node_pb2.NodeDescription:
    node = value.node
    return node_pb2.NodeDescription(
        node=node.id,
        tier=node.tier,
        version=value.version,
        protocol=value.protocol,
        engine=node.engines[0] if node.engines else "",
        fingerprint=value.fingerprint,
        codecs=node.codecs,
        memory_bytes=node.memory_bytes or 0,
        pid=value.pid,
        rss_bytes=value.rss_bytes,
        peak_rss_bytes=value.peak_rss_bytes,
        running_sessions=value.running_sessions,
        draining=value.draining,
        limits=node_pb2.Limits(sessions=value.limits.sessions, payload_bytes=value.limits.payload_bytes),
        costs=costs_to_proto(value.profile),
        price_per_s=value.price_per_s,
        reaches=[neighbour_to_proto(sight) for sight in value.reaches],
        telemetry=None if value.telemetry is None else telemetry_to_proto(value.telemetry),
    )


def description_from_proto(
    message: node_pb2.NodeDescription, *, address: str, at_s: float = 0.0
) -> NodeDescription:
    """What came at `at_s` of the loop's clock. Raises InvalidRequest where the other node's words make no sense."""
    try:
        tier = Tier(message.tier)
    except ValueError:
        raise InvalidRequest(f"{address} says that its tier is {message.tier[:32]!r}: update it.") from None
    texts = (message.node, message.version, message.engine, message.fingerprint, *message.codecs)
    if not message.node or not all(len(text) <= _MAX_TEXT and text.isprintable() for text in texts):
        raise InvalidRequest(f"{address} tells of itself in words that cannot be printed: correct its name.")
    if not 0 <= message.price_per_s <= MAX_PRICE_PER_S:
        raise InvalidRequest(f"{address} asks for a price that is no price: correct its configuration.")
    node = Node(
        NodeId(message.node),
        tier,
        address,
        (message.engine,),
        tuple(message.codecs[:_MAX_CODECS]),
        message.memory_bytes or None,
    )
    return NodeDescription(
        node=node,
        version=message.version,
        fingerprint=message.fingerprint,
        pid=message.pid,
        rss_bytes=message.rss_bytes,
        peak_rss_bytes=message.peak_rss_bytes,
        running_sessions=message.running_sessions,
        draining=message.draining,
        protocol=message.protocol,
        limits=Limits(sessions=message.limits.sessions, payload_bytes=message.limits.payload_bytes),
        profile=profile_from_proto(message),
        price_per_s=message.price_per_s,
        reaches=neighbours_from_proto(message),
        telemetry=telemetry_from_proto(message.telemetry, at_s=at_s)
        if message.HasField("telemetry")
        else None,
    )


def step_to_proto(event: StepDone) -> common_pb2.StepDone:
    return common_pb2.StepDone(
        node=event.node,
        tier=event.tier,
        stage=event.stage,
        step=event.step,
        total_steps=event.total_steps,
        seconds=event.seconds,
        start_s=event.start_s,
    )


def step_from_proto(message: common_pb2.StepDone) -> StepDone:
    """Raises CorruptPayload for numbers that are none."""
    return with_numbers(
        StepDone(
            node=message.node,
            tier=message.tier,
            stage=message.stage,
            step=message.step,
            total_steps=message.total_steps,
            seconds=message.seconds,
            start_s=message.start_s,
        )
    )
