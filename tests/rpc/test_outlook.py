"""What a device tells of its nodes: it arrives as it was sent, and what cannot be is refused."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import cast

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.codecs import CODECS
from eapg_split.domain.telemetry import LinkSight, Quality, Reading, Telemetry
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.eapg.workload import unroll
from eapg_split.errors import CapacityExceeded, CorruptPayload, EapgError, InfeasiblePlan, InvalidRequest
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.planner.policy import Objective, PlanView
from eapg_split.planner.pyramid import PyramidPolicy
from eapg_split.planner.solve import solve
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert import request_to_proto
from eapg_split.rpc.convert_outlook import MAX_STEPS, survey_from_proto, survey_to_proto
from eapg_split.rpc.job_requests import JobRequests
from eapg_split.rpc.job_service import JobService
from eapg_split.rpc.v1 import job_pb2, outlook_pb2
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.job import Job
from eapg_split.runtime.jobs.life import Jobs
from eapg_split.runtime.settings import Limits, PeerAddress
from eapg_split.runtime.survey import Heard, Survey, survey
from tests.nodes import SMALL, STEPS, grpc_peer, toy_worker

PHONE, CLOUD = NodeId("phone"), NodeId("cloud")
LOOK = Telemetry(
    at_s=-0.5,
    charge=Reading(0.4, Quality.MEASURED),
    power_w=Reading(3.0, Quality.MODELLED),
    resident=("text",),
    links=(LinkSight("phone", "cloud", 1e7, 0.2, 0.05, 3.0),),
)
FULL = Survey(
    Topology(
        (
            Node(PHONE, Tier.DEVICE, engines=("onnx",), codecs=("lossless", "auto")),
            Node(CLOUD, Tier.CLOUD, codecs=("lossless",), memory_bytes=2**33),
        )
    ),
    Estimates(
        MappingProxyType(
            {
                PHONE: NodeEstimate(
                    (1.0, 2.0, math.inf),
                    active_w=5.0,
                    idle_w=1.0,
                    battery_j=2e4,
                    max_entropy_bits=1e6,
                    temperature_c=33.0,
                    entry_s=(0.0, 0.5, 0.0),
                    charge=0.4,
                    heat=ThermalModel(),
                ),
                CLOUD: NodeEstimate((0.1, 0.2, math.inf), math.inf, price_per_s=0.01, uncertain=True),
            }
        ),
        MappingProxyType(
            {
                (PHONE, CLOUD): LinkEstimate(1e7, 0.05, 0.2, 1e-6),
                (CLOUD, PHONE): LinkEstimate(3e7, 0.05, 0.7, 5e-7),
            }
        ),
        (CodecEstimate("lossless", (300.0, 1e6, math.inf, 0.0), (0.0,) * 4, (0.0,) * 4),),
        (0.0, 1e5, 1e5, 0.0),
    ),
    heard={PHONE: Heard(LOOK, 0.5)},
    ages_s={(PHONE, CLOUD): 3.0},
    relayed=frozenset({(CLOUD, PHONE)}),
    missing=("attic (it does not answer)",),
)


def same(one: Survey, other: Survey) -> bool:
    """NaN, which is what nobody knows, equals NaN here."""
    return repr(one) == repr(other)


def test_a_survey_arrives_as_it_was_sent() -> None:
    message = outlook_pb2.OutlookReply.FromString(survey_to_proto(FULL).SerializeToString())
    assert same(survey_from_proto(message, 3), FULL)


Spoil = Callable[[outlook_pb2.OutlookReply], object]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda m: m.nodes[0].step_s.append(1.0), id="a step too many"),
        pytest.param(lambda m: m.nodes[0].ClearField("step_s"), id="no steps"),
        pytest.param(lambda m: m.nodes[0].entry_s.pop(), id="an entry too few"),
        pytest.param(lambda m: m.nodes[0].step_s.__setitem__(0, math.nan), id="a step of NaN"),
        pytest.param(lambda m: m.nodes[0].step_s.__setitem__(0, -math.inf), id="a step of minus infinity"),
        pytest.param(lambda m: m.nodes[0].step_s.__setitem__(0, 1e300), id="a step of ages"),
        pytest.param(lambda m: setattr(m.nodes[0], "ready_s", -1), id="ready in the past"),
        pytest.param(lambda m: setattr(m.nodes[0], "active_w", math.inf), id="endless watts"),
        pytest.param(lambda m: setattr(m.nodes[0], "battery_j", math.nan), id="a battery of NaN"),
        pytest.param(lambda m: setattr(m.nodes[0], "charge", 1.5), id="more than full"),
        pytest.param(lambda m: setattr(m.nodes[0], "temperature_c", 1e4), id="hotter than fire"),
        pytest.param(lambda m: setattr(m.nodes[1], "price_per_s", -1), id="paid for computing"),
        pytest.param(lambda m: setattr(m.nodes[0].heat, "die_k_per_w", 0), id="no resistance to heat"),
        pytest.param(lambda m: m.nodes[0].heat.ratios.append(0.1), id="a level without a threshold"),
        pytest.param(lambda m: m.nodes[0].heat.up_c.__setitem__(0, 90.0), id="thresholds that fall"),
        pytest.param(lambda m: setattr(m.nodes[0], "tier", "moon"), id="an unknown tier"),
        pytest.param(lambda m: setattr(m.nodes[0], "tier", "edge"), id="no device"),
        pytest.param(lambda m: setattr(m.nodes[0], "node", ""), id="no name"),
        pytest.param(lambda m: setattr(m.nodes[0], "node", "a\x1b[2Jb"), id="a name that clears the screen"),
        pytest.param(lambda m: setattr(m.nodes[1], "node", "phone"), id="two of one name"),
        pytest.param(lambda m: m.nodes[0].codecs.extend("x" * 100), id="too many codecs of a node"),
        pytest.param(lambda m: setattr(m.nodes[0], "telemetry_age_s", math.nan), id="a look of no age"),
        pytest.param(lambda m: setattr(m.links[0], "bits_per_s", 0), id="a link that carries nothing"),
        pytest.param(lambda m: setattr(m.links[0], "bits_per_s", math.inf), id="an endless link"),
        pytest.param(lambda m: setattr(m.links[0], "sigma", math.nan), id="a spread of NaN"),
        pytest.param(lambda m: setattr(m.links[0], "age_s", -5), id="a link seen in the future"),
        pytest.param(lambda m: setattr(m.links[0], "target", "moon"), id="a link to nowhere"),
        pytest.param(lambda m: setattr(m.links[0], "target", "phone"), id="a link to itself"),
        pytest.param(lambda m: m.links.append(m.links[0]), id="one link twice"),
        pytest.param(lambda m: m.links.extend([m.links[0]] * 10), id="too many links"),
        pytest.param(lambda m: m.codecs[0].bits.pop(), id="a boundary too few"),
        pytest.param(lambda m: m.codecs[0].encode_s.__setitem__(0, -1), id="coding in no time"),
        pytest.param(lambda m: m.codecs.extend([m.codecs[0]] * 100), id="too many codecs"),
        pytest.param(lambda m: m.entropy_bits.pop(), id="information of too few boundaries"),
        pytest.param(lambda m: m.entropy_bits.__setitem__(0, math.nan), id="information of NaN"),
        pytest.param(lambda m: m.nodes.extend([m.nodes[1]] * 100), id="too many nodes"),
        pytest.param(lambda m: m.ClearField("nodes"), id="no nodes"),
        pytest.param(lambda m: m.missing.extend(["x"] * 100), id="too many that are missing"),
        pytest.param(lambda m: m.missing.append("x" * 5000), id="a long story"),
        pytest.param(lambda m: m.missing.append("one\ntwo"), id="two lines"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(spoil: Spoil) -> None:
    message = survey_to_proto(FULL)
    spoil(message)
    with pytest.raises(CorruptPayload) as refused:
        survey_from_proto(message, 3)
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 500


def test_why_a_node_is_missing_travels_as_one_line() -> None:
    told = replace(FULL, missing=("attic (it\nsaid\x1b[2J " + "no " * 1000 + ")",))
    (words,) = survey_from_proto(survey_to_proto(told), 3).missing
    assert words.startswith("attic (it said [2J no no")
    assert len(words) <= 1000


def test_absurd_telemetry_is_unknown_and_no_error() -> None:
    message = survey_to_proto(FULL)
    message.nodes[0].telemetry.charge.value = 7
    assert not survey_from_proto(message, 3).heard[PHONE].telemetry.charge.known


@pytest.mark.parametrize("steps", [0, MAX_STEPS + 1])
def test_a_plan_has_some_steps_and_not_too_many(steps: int) -> None:
    with pytest.raises(InvalidRequest):
        survey_from_proto(survey_to_proto(FULL), steps)


async def surveyed(**changes: object) -> Survey:
    job = Job("s", SMALL, PyramidPolicy(), "lossless", ".mp4", **changes)  # type: ignore[arg-type]
    device, edge = toy_worker("device", Tier.DEVICE), toy_worker("edge", Tier.EDGE)
    gone = GrpcPeer(PeerAddress("gone", "127.0.0.1:1"))
    try:
        async with grpc_peer(edge) as near, asyncio.timeout(20):
            return await survey(job, Cluster(device, (near, gone)))
    finally:
        await gone.close()
        for worker in (device, edge):
            worker.thread.close()


async def test_a_survey_has_what_a_plan_needs_and_passes_its_own_checks() -> None:
    found = await surveyed()
    device, edge = NodeId("device"), NodeId("edge")
    assert [node.id for node in found.topology.nodes] == [device, edge]
    assert set(found.estimates.links) == {(device, edge), (edge, device)}
    assert set(found.ages_s) == {(device, edge), (edge, device)}, "both directions were probed"
    assert [each.split()[0] for each in found.missing] == ["gone"]
    assert set(found.heard) == {device, edge}
    assert [codec.name for codec in found.estimates.codecs] == ["lossless"]
    assert found.topology.device.codecs == tuple(CODECS)
    message = survey_to_proto(found)
    again = survey_to_proto(survey_from_proto(message, STEPS))
    for each in (message, again):
        each.links.sort(key=lambda link: link.source)
    assert again.nodes == message.nodes
    assert again.links == message.links
    assert again.entropy_bits == message.entropy_bits


async def test_wishes_that_name_what_is_not_there_are_refused() -> None:
    with pytest.raises(EapgError, match="moon"):
        await surveyed(wishes=Objective(pins={"stage3": NodeId("moon")}))


async def test_a_device_looks_for_so_many_at_once_and_refuses_what_it_cannot_code() -> None:
    worker = toy_worker("device", Tier.DEVICE, limits=Limits(sessions=1))
    service = JobService(JobRequests(worker, ()), cast("Jobs", None))  # nothing is run
    request = job_pb2.GenerateRequest(
        request=request_to_proto(SMALL), policy="no such policy", codec="lossless"
    )
    context = cast("grpc.aio.ServicerContext[object, object]", None)
    try:
        answers = await asyncio.gather(
            *(service.outlook(request, context) for _ in range(3)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [
            outlook_pb2.OutlookReply,
            CapacityExceeded,
            CapacityExceeded,
        ]
        reply = await service.outlook(request, context)
        assert len(reply.nodes) == 1, "the policy's name is the asker's affair"
        request.codec = "smoke"
        with pytest.raises(InvalidRequest, match="smoke"):
            await service.outlook(request, context)
    finally:
        worker.thread.close()


WORKLOAD = unroll(SMALL)


def absurd(value: float) -> bool:
    return math.isnan(value) or value < 0


@given(st.data())
def test_whatever_is_accepted_can_be_planned_by(data: st.DataObject) -> None:
    """Numbers at the edges of what is accepted give a plan, or a sentence on why there is none."""
    node = NodeEstimate(
        (1.0,) * STEPS, entry_s=(0.5,) * STEPS, battery_j=1e4, charge=0.5, heat=ThermalModel()
    )
    one, boundaries = LinkEstimate(1e7, 0.05, 0.2), (1e6,) * (STEPS + 1)
    estimates = Estimates(
        {PHONE: node, CLOUD: replace(node, heat=None)},
        {(PHONE, CLOUD): one, (CLOUD, PHONE): one},
        (CodecEstimate("lossless", boundaries, boundaries, boundaries),),
        boundaries,
    )
    message = survey_to_proto(replace(FULL, estimates=estimates))
    parts = (*message.nodes, *message.links, *message.codecs, message.nodes[0].heat)
    numbers = [
        (part, field)
        for part in parts
        for field in part.DESCRIPTOR.fields
        if field.cpp_type == field.CPPTYPE_DOUBLE
    ]
    for part, field in data.draw(st.lists(st.sampled_from(numbers), max_size=6)):
        value = data.draw(st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 1e6, 1e9, 1e12, 1e15, math.inf]))
        if field.is_repeated:
            values = getattr(part, field.name)
            values[data.draw(st.integers(0, len(values) - 1))] = value
        else:
            setattr(part, field.name, value)
    try:
        found = survey_from_proto(message, STEPS)
        score = solve(PlanView(WORKLOAD, found.topology, estimates=found.estimates)).score
    except (CorruptPayload, InfeasiblePlan):
        return
    assert score.feasible
    assert not any(absurd(value) for value in (score.time_s, score.energy_j, score.money))
