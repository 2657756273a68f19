"""Messages as their borders take them: each is built honestly, broken by its descriptor, and converted."""

import contextlib
import dataclasses
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

import grpc
import numpy as np
from google.protobuf.message import DecodeError, Message

from eapg_split.cli.display import PlainDisplay
from eapg_split.domain.telemetry import LinkSight, Quality, Reading, Telemetry
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import EapgError
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.planner.policy import Goal, Objective
from eapg_split.rpc import (
    convert,
    convert_handoff,
    convert_hop,
    convert_job,
    convert_outlook,
    convert_telemetry,
    convert_wishes,
    previews,
)
from eapg_split.rpc.job_requests import JobRequests
from eapg_split.rpc.status import CLASS_KEY, CORRELATION_KEY, NODE_KEY, RETRY_KEY, SESSION_KEY, from_status
from eapg_split.rpc.v1 import common_pb2, job_pb2, node_pb2, outlook_pb2
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import Hop, JobEvent, PreviewFrame, StepDone
from eapg_split.runtime.job import Job
from eapg_split.runtime.peer import Onward, SegmentOrder
from eapg_split.runtime.recall import HandBack
from eapg_split.runtime.survey import survey
from tests.cli.conftest import story
from tests.fuzz.engine import still_worker
from tests.fuzz.loop import run
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.protobuf import mutated_message
from tests.fuzz.target import MIB, Target, packed, unpacked
from tests.nodes import SMALL, coded, order, undivided
from tests.runtime.test_profile_store import PROFILE

REFUSALS: Final = (EapgError, DecodeError)  # gRPC and `errors_of` turn a DecodeError into a refusal
STEPS: Final = 10


@dataclass(frozen=True)
class Border:
    """One message: honest ones, and what reads it; what it gives goes back to a message where there is a way."""

    kind: type[Message]
    honest: Callable[[], Sequence[Message]]
    read: Callable[[Message], object]
    unread: Callable[[object], object] | None = None


def sane(value: object, where: str = "") -> None:
    """Every number that was let in is one, unless its kind of value has a use for infinity or NaN."""
    if isinstance(value, float):
        assert not math.isnan(value), f"{where} is NaN"
        assert value >= 0 or value > -1e9, f"{where} is {value}"
    elif dataclasses.is_dataclass(value):
        if isinstance(value, Reading):
            assert value.known or math.isnan(value.value)
            return
        for each in dataclasses.fields(value):
            sane(getattr(value, each.name), f"{type(value).__name__}.{each.name}")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            sane(each, f"{where}[{key!r:.20}]")
    elif isinstance(value, list | tuple):
        for each in value:
            sane(each, where)


def finite(value: object) -> None:
    """As `sane`, without infinity."""
    sane(value)
    for each in dataclasses.fields(value):  # type: ignore[arg-type]
        number = getattr(value, each.name)
        assert not isinstance(number, float) or 0 <= number < math.inf, f"{each.name} is {number}"


def _event(message: job_pb2.JobEvent) -> JobEvent:
    event = convert_job.event_from_proto(message)
    finite(event)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), PlainDisplay() as display:
        display.show(event)
    assert all(each.isprintable() or each == "\n" for each in said.getvalue()), "a terminal would obey it"
    return event


async def _order(message: node_pb2.RunHeader) -> SegmentOrder:
    found = convert.order_from_proto(message)
    convert.order_to_proto(found, convert_handoff.declaration_from_proto(message.state))
    return found


async def _headers() -> list[node_pb2.RunHeader]:
    full = dataclasses.replace(
        order(5, 7),
        onward=(Onward(NodeId("cloud"), 9, "clean", 50.0),),
        result_codec="clean",
        result_db=51.0,
        result_link_bits_per_s=1e7,
        previews=True,
        deadline=Deadline.after(20),
    )
    declaration = coded(undivided(5)).declaration
    return [convert.order_to_proto(each, declaration) for each in (order(0, 2), order(5, 9, attempt=2), full)]


async def _description() -> node_pb2.NodeDescription:
    worker = still_worker("edge", Tier.EDGE)
    told = dataclasses.replace(
        await worker.describe(), profile=PROFILE, reaches=(LinkSight("edge", "cloud", 1e7),), price_per_s=0.25
    )
    return convert.description_to_proto(told)


TELEMETRY: Final = Telemetry(
    charge=Reading(0.5, Quality.MEASURED),
    power_w=Reading(3.0, Quality.MODELLED),
    temperature_c=Reading(41.0, Quality.MEASURED),
    resident=("text", "low"),
    links=(LinkSight("edge", "cloud", 1e7, 0.2, 0.01, 3.0),),
)
WISHES: Final = Objective(
    goal=Goal.ENERGY,
    max_entropy_bits=1e6,
    max_cuts=3,
    pins={"stage1": NodeId("edge")},
    memory_caps={NodeId("edge"): 10**9},
)
PREVIEW: Final = PreviewFrame("stage1", 2, 0, 2, np.zeros((8, 6, 3), np.uint8))
STEP: Final = StepDone("edge", "edge", "stage1", 2, STEPS, 0.5, 1.0)
HOP: Final = Hop("device", "edge", 5, "lossless", 1000, 500, 0.1, 1.0, 0.01, 0.02, ("xbar",))


async def _outlooks() -> list[outlook_pb2.OutlookReply]:
    worker = still_worker("device", Tier.DEVICE)
    await worker.describe()
    job = Job("s1", SMALL, _NoPolicy(), "lossless", ".mp4")  # type: ignore[arg-type]
    found = await survey(job, Cluster(worker, ()))
    alone = convert_outlook.survey_to_proto(found)
    two = outlook_pb2.OutlookReply.FromString(alone.SerializeToString())
    two.nodes.add().CopyFrom(two.nodes[0])
    two.nodes[1].node, two.nodes[1].tier = "edge", "edge"
    for source, target in (("device", "edge"), ("edge", "device")):
        two.links.add(source=source, target=target, bits_per_s=1e7, rtt_s=0.01, sigma=0.2, age_s=1.0)
    full = outlook_pb2.OutlookReply.FromString(two.SerializeToString())
    node = full.nodes[1]
    node.battery_j, node.max_entropy_bits, node.temperature_c, node.charge = 1e4, 1e6, 41.0, 0.5
    node.telemetry.CopyFrom(convert_telemetry.telemetry_to_proto(TELEMETRY))
    node.heat.CopyFrom(
        outlook_pb2.ThermalModel(
            air_c=25, die_k_per_w=2, die_j_per_k=5, skin_k_per_w=8, skin_j_per_k=80, power_exponent=2.5,
            ratios=[1, 0.8, 0.6], up_c=[70, 85], hysteresis_c=5,
        )
    )  # fmt: skip
    return [alone, two, full]


class _NoPolicy:
    name = "none"


BORDERS: Final = (
    Border(
        common_pb2.GenerationRequest,
        lambda: [convert.request_to_proto(SMALL), convert.request_to_proto(SMALL.without_prompt())],
        convert.request_from_proto,  # type: ignore[arg-type]
        convert.request_to_proto,  # type: ignore[arg-type]
    ),
    Border(node_pb2.RunHeader, lambda: run(_headers()), lambda message: run(_order(message))),  # type: ignore[arg-type]
    Border(
        common_pb2.Handoff,
        lambda: [convert_handoff.declaration_to_proto(coded(undivided(step)).declaration) for step in (2, 5)],
        convert_handoff.declaration_from_proto,  # type: ignore[arg-type]
        convert_handoff.declaration_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        node_pb2.RunRecall,
        lambda: [convert.recall_to_proto(HandBack(3, "clean", 50.0))],
        convert.recall_from_proto,  # type: ignore[arg-type]
        convert.recall_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        node_pb2.PrepareRequest,
        lambda: [convert.prepare_to_proto(order(5, 9))],
        convert.prepare_from_proto,  # type: ignore[arg-type]
        convert.prepare_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        node_pb2.NodeDescription,
        lambda: [run(_description())],
        lambda message: convert.description_from_proto(message, address="edge:1"),  # type: ignore[arg-type]
        convert.description_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        node_pb2.NodeTelemetry,
        lambda: [convert_telemetry.telemetry_to_proto(TELEMETRY)],
        lambda message: convert_telemetry.telemetry_from_proto(message, at_s=1.0),  # type: ignore[arg-type]
        convert_telemetry.telemetry_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        node_pb2.TelemetryRequest,
        lambda: [convert_telemetry.interval_to_proto(1.0)],
        convert_telemetry.interval_from_proto,  # type: ignore[arg-type]
        convert_telemetry.interval_to_proto,  # type: ignore[arg-type]
    ),
    Border(common_pb2.StepDone, lambda: [convert.step_to_proto(STEP)], convert.step_from_proto),  # type: ignore[arg-type]
    Border(common_pb2.Hop, lambda: [convert_hop.hop_to_proto(HOP)], convert_hop.hop_from_proto),  # type: ignore[arg-type]
    Border(
        common_pb2.PreviewFrame,
        lambda: [previews.preview_to_proto(PREVIEW)],
        previews.preview_from_proto,  # type: ignore[arg-type]
        previews.preview_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        job_pb2.Wishes,
        lambda: [convert_wishes.wishes_to_proto(WISHES), convert_wishes.wishes_to_proto(Objective())],
        convert_wishes.wishes_from_proto,  # type: ignore[arg-type]
        convert_wishes.wishes_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        job_pb2.JobEvent,
        lambda: [convert_job.event_to_proto(event) for event in story()],
        _event,  # type: ignore[arg-type]
        convert_job.event_to_proto,  # type: ignore[arg-type]
    ),
    Border(
        job_pb2.JobSummary,
        lambda: [
            job_pb2.JobSummary(session="s1", step=2, total_steps=9, elapsed_s=3, state="done", ended_s=1)
        ],
        convert_job.summary_from_proto,  # type: ignore[arg-type]
    ),
    Border(
        node_pb2.RunDone,
        lambda: [node_pb2.RunDone(compute_s=1.0, peak_rss_bytes=1, further_peaks={"cloud": 5})],
        convert_hop.further_peaks,  # type: ignore[arg-type]
    ),
)


def _enter(data: bytes) -> None:
    """The first byte says which border it is for."""
    border = BORDERS[data[0] % len(BORDERS)] if data else BORDERS[0]
    value = border.read(border.kind.FromString(data[1:]))
    sane(value)
    if border.unread is not None:
        again = border.unread(value)
        assert isinstance(again, Message)
        again.SerializeToString()


@cache
def _corpus() -> tuple[bytes, ...]:
    return tuple(
        bytes([index]) + message.SerializeToString()
        for index, border in enumerate(BORDERS)
        for message in border.honest()
    )


def _mutate(data: bytes, other: bytes, random: Random) -> bytes:
    kind = BORDERS[data[0] % len(BORDERS)].kind
    return data[:1] + mutated_message(kind, data[1:], other[1:], random)


async def _asked(data: bytes) -> None:
    """A job as a person's program asks for it; its policy is looked up by others."""
    requests = JobRequests(still_worker("device", Tier.DEVICE), ())
    message = job_pb2.GenerateRequest.FromString(data)
    message.policy = "pyramid"
    await requests.terms(message, "local")
    sane(requests.job("s1", message, DpStaticPolicy()))


@cache
def _jobs() -> tuple[bytes, ...]:
    request = convert.request_to_proto(SMALL)
    plain = job_pb2.GenerateRequest(request=request, policy="pyramid", codec="lossless", suffix=".mp4")
    full = job_pb2.GenerateRequest(
        request=request,
        codec="auto",
        deadline_s=60,
        quality_db=45,
        wishes=convert_wishes.wishes_to_proto(Objective()),
    )
    return plain.SerializeToString(), full.SerializeToString()


def _survey(data: bytes) -> None:
    convert_outlook.survey_to_proto(
        convert_outlook.survey_from_proto(outlook_pb2.OutlookReply.FromString(data), STEPS)
    )


@cache
def _surveys() -> tuple[bytes, ...]:
    return tuple(message.SerializeToString() for message in run(_outlooks()))


def _status(data: bytes) -> None:
    """A code, details, and pairs of trailing metadata."""
    code, details, *rest = [*unpacked(data), b"", b""]
    codes = list(grpc.StatusCode)
    texts = [each.decode("latin-1") for each in rest]
    pairs = list(zip(texts[::2], texts[1::2], strict=False))
    raise from_status(codes[sum(code) % len(codes)], details.decode("utf-8", "replace"), pairs, node="edge")


def _statuses() -> list[bytes]:
    pairs = (
        CLASS_KEY,
        "CapacityExceeded",
        NODE_KEY,
        "edge",
        SESSION_KEY,
        "s1",
        CORRELATION_KEY,
        "abc",
        RETRY_KEY,
        "1.5",
    )
    return [packed([b"\1", b"The node is full.", *(each.encode() for each in pairs)])]


MESSAGE_TARGETS: Final = (
    Target("messages", "messages", _corpus, _mutate, _enter, REFUSALS, quick_runs=3000),
    Target(
        "jobs", "messages", lambda: _jobs(),
        lambda data, other, random: mutated_message(job_pb2.GenerateRequest, data, other, random),
        lambda data: run(_asked(data)), REFUSALS, base_bytes=4 * MIB, quick_runs=500,
    ),
    Target(
        "statuses", "messages", _statuses, mutated_bytes, _status,
    ),
    Target(
        "surveys", "topologies", _surveys,
        lambda data, other, random: mutated_message(outlook_pb2.OutlookReply, data, other, random),
        _survey, REFUSALS,
    ),
)  # fmt: skip
