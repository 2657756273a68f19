"""Values survive the trip through their messages; messages that make no sense become no values."""

import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier
from eapg_split.errors import CorruptPayload, InvalidRequest
from eapg_split.rpc import convert, convert_job, previews
from eapg_split.rpc.v1 import common_pb2, job_pb2, node_pb2
from eapg_split.runtime.events import (
    CheckpointKept,
    FrameDone,
    Goodput,
    Hop,
    JobDone,
    JobEvent,
    Notice,
    OutputChunk,
    OutputFile,
    PlacedSegment,
    PlanMade,
    PlanReviewed,
    PreviewFrame,
    StepDone,
)
from eapg_split.runtime.observed import (
    LinkBelieved,
    LinkProbed,
    NodeBack,
    NodeDescribed,
    NodeLost,
    RoundTrip,
    StageSeconds,
    TelemetryHeard,
)
from eapg_split.runtime.peer import NodeDescription

COUNTS = st.integers(1, 64)
REQUESTS = st.builds(
    Request,
    prompt=st.sampled_from(["A cat running", "城市夜景"]),
    seconds=st.floats(0.5, 30),
    fps=st.integers(1, 60),
    width=st.integers(32, 2048).map(lambda side: 2 * side),
    height=st.integers(32, 1152).map(lambda side: 2 * side),
    steps=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS),
    seed=st.integers(0, 2**63 - 1),
    guidance=st.floats(0, 10),
    privacy=st.sampled_from(Privacy),
)
SEGMENT = PlacedSegment("edge", "edge", 3, 9)
HOP = Hop("device", "edge", 3, "int8", 1000, 300, 0.25, 1.5, 0.125, 0.0625, ("xbar",))
EVENTS: tuple[JobEvent, ...] = (
    PlanMade("a1", "pyramid", (SEGMENT,), ("a note",), 34, 1, 0.5, "edge is lost", 12.5),
    PlanReviewed("heat", "device", "device got hotter.", "replace", "Cooler there.", 5, 20.0, 12.5, 3.5),
    StepDone("edge", "edge", "stage3", 4, 34, 0.5, 2.5),
    PreviewFrame("stage1", 16, 2, 6, np.arange(24, dtype=np.uint8).reshape(2, 4, 3)),
    HOP,
    Goodput("device", "edge", 100_000, 0.5, 3.25),
    CheckpointKept("edge", 30, "lossless", 200_000, 160_000, 0.25, 3.5),
    Notice("Going on without edge."),
    FrameDone(3, 121),
    OutputFile("", 12345, "ab" * 32),
    NodeDescribed(
        "edge", "edge", "onnx", 0, 0.5, (StageSeconds("stage3", 0.25, 0.125, 1.0, 5.0, True),), 0.5
    ),
    LinkBelieved("edge", "cloud", 1e8, 0.03, 0.5, True, 2.5, True, 3.5),
    LinkProbed("device", "edge", 32768, 0.0625, 0.125, True),
    RoundTrip("edge", 0.03125, 0.125),
    TelemetryHeard("edge", {"load": 0.5, "queue_s": 2.0}, ("decoder",), True, 1.5),
    NodeLost("edge", "It does not answer.", 2.5),
    NodeBack("edge", 3.5),
    OutputChunk(b"\x00\x01"),
    JobDone("a1", 121, 512, 288, 24, 7, 12.5, "ab" * 32, (SEGMENT,), (HOP,), {"edge": 5_000_000_000}, 3, 99),
)


@given(REQUESTS)
def test_requests(request: Request) -> None:
    for each in (request, request.without_prompt()):
        wire = convert.request_to_proto(each).SerializeToString()
        assert convert.request_from_proto(common_pb2.GenerationRequest.FromString(wire)) == each


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events(event: JobEvent) -> None:
    wire = convert_job.event_to_proto(event).SerializeToString()
    back = convert_job.event_from_proto(job_pb2.JobEvent.FromString(wire))
    assert back == event
    if isinstance(event, PreviewFrame) and isinstance(back, PreviewFrame):
        assert np.array_equal(event.frame, back.frame)


def test_every_kind_of_event_is_looked_at() -> None:
    assert {type(event) for event in EVENTS} == set(JobEvent.__args__)
    assert len(EVENTS) == len(job_pb2.JobEvent.DESCRIPTOR.oneofs_by_name["kind"].fields)


def test_descriptions() -> None:
    node = Node(NodeId("edge-7"), Tier.EDGE, "10.0.0.2:7001", ("onnx",), ("lossless", "int8"), None)
    value = NodeDescription(node, "0.1.0", "f" * 64, 7, 100, 200, 2)
    wire = convert.description_to_proto(value).SerializeToString()
    message = node_pb2.NodeDescription.FromString(wire)
    assert convert.description_from_proto(message, address="10.0.0.2:7001") == value


COSTS = st.builds(
    StageCost,
    overhead_s=st.floats(0, 3600),
    flops_per_s=st.floats(1e3, 1e18),
    load_s=st.floats(0, 3600),
    memory_bytes=st.integers(0, 2**63),
    joules_per_s=st.none() | st.floats(0.001, 1e5),
    uncertain=st.booleans(),
    entry_flops_per_s=st.floats(1e3, 1e18) | st.just(math.inf),
)
FINE = {"stage": "stage1", "overhead_s": 0.1, "flops_per_s": 1e9}


@given(st.dictionaries(st.text("abc123", min_size=1, max_size=32), COSTS, max_size=16))
def test_profiles(stages: dict[str, StageCost]) -> None:
    node = Node(NodeId("edge-7"), Tier.EDGE, "", ("onnx",))
    profile = Profile(node.id, "onnx", "f" * 64, stages) if stages else None
    value = NodeDescription(node, "0.1.0", "f" * 64, 7, 100, 200, profile=profile)
    wire = convert.description_to_proto(value).SerializeToString()
    message = node_pb2.NodeDescription.FromString(wire)
    assert convert.description_from_proto(message, address="").profile == profile


@pytest.mark.parametrize(
    "wrong",
    [
        {"flops_per_s": 0.0},
        {"flops_per_s": -1e9},
        {"flops_per_s": math.nan},
        {"flops_per_s": math.inf},
        {"flops_per_s": 1e-300},
        {"overhead_s": -1.0},
        {"overhead_s": math.inf},
        {"load_s": math.nan},
        {"load_s": 1e9},
        {"joules_per_s": -5.0},
        {"joules_per_s": math.inf},
        {"entry_flops_per_s": math.nan},
        {"entry_flops_per_s": -1.0},
        {"stage": ""},
        {"stage": "x" * 33},
        {"stage": "\x1b[2J"},
        {"stage": "stage0"},
    ],
)
def test_a_profile_that_cannot_be_true_is_none(wrong: dict[str, float | str]) -> None:
    costs = [{**FINE, "stage": "stage0"}, {**FINE, **wrong}]
    message = node_pb2.NodeDescription(
        node="a", tier="edge", limits={"sessions": 1, "payload_bytes": 1}, costs=costs
    )
    assert convert.description_from_proto(message, address="x:1").profile is None


def test_a_profile_of_more_stages_than_there_are_is_none() -> None:
    costs = [{**FINE, "stage": f"stage{index}"} for index in range(17)]
    message = node_pb2.NodeDescription(
        node="a", tier="edge", limits={"sessions": 1, "payload_bytes": 1}, costs=costs
    )
    assert convert.description_from_proto(message, address="x:1").profile is None
    del message.costs[16]
    assert convert.description_from_proto(message, address="x:1").profile is not None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        message = common_pb2.GenerationRequest.FromString(data)
    except Exception:
        return
    with suppress(InvalidRequest):
        convert.request_from_proto(message)


@pytest.mark.parametrize("remaining", [math.nan, math.inf, -1.0])
async def test_a_deadline_is_a_number(remaining: float) -> None:
    message = node_pb2.RunHeader(session="a1", remaining_s=remaining)
    with pytest.raises(InvalidRequest, match="remaining_s"):
        convert.order_from_proto(message)


@pytest.mark.parametrize("session", ["", "a" * 65, "../a", "a b", "é"])
def test_a_session_is_letters_and_digits(session: str) -> None:
    with pytest.raises(InvalidRequest):
        convert.session_from_proto(session)


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(CorruptPayload):
        convert_job.event_from_proto(job_pb2.JobEvent())
    with pytest.raises(InvalidRequest, match="tier"):
        convert.description_from_proto(node_pb2.NodeDescription(node="a", tier="moon"), address="x:1")
    with pytest.raises(InvalidRequest, match="size"):
        previews.preview_from_proto(common_pb2.PreviewFrame(height=9, width=9, rgb=b"123"))
