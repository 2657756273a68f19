"""From telemetry to a plan: a device that heats up or drains gives work away, and takes it when nobody else can."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from eapg_split.domain.plan import Plan
from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import Quality, Reading, Telemetry
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.eapg.workload import unroll
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.planner.policy import PlanView
from eapg_split.planner.solve import solve

DEVICE, EDGE = NodeId("device"), NodeId("edge")
WORKLOAD = unroll(Request("A cat running"))
TOPOLOGY = Topology(
    (Node(DEVICE, Tier.DEVICE, codecs=("lossless",)), Node(EDGE, Tier.EDGE, codecs=("lossless",)))
)
RESIDENT = ("text", "stage1", "stage2", "low", "encoder", "decoder")
COST = StageCost(0.001, 60e9, entry_flops_per_s=60e9)
PROFILE = Profile(DEVICE, "onnx", "f" * 64, MappingProxyType({stage.name: COST for stage in WORKLOAD.stages}))
WIFI = {
    (DEVICE, EDGE): LinkEstimate(100e6, 0.005, 0.3),
    (EDGE, DEVICE): LinkEstimate(100e6, 0.005, 0.3),
}


def knowing(**readings: float) -> NodeKnowledge:
    values = {name: Reading(value, Quality.MEASURED) for name, value in readings.items()}
    return NodeKnowledge(PROFILE, Telemetry(resident=RESIDENT, **values), 0.5)  # type: ignore[arg-type]


def plan(device: NodeKnowledge, *, link: bool = True, edge: NodeKnowledge | None = None) -> Plan:
    outlook = Outlook(WORKLOAD, TOPOLOGY, codec_options("lossless"))
    nodes = {DEVICE: device, EDGE: edge or knowing()}
    estimates = outlook.estimates(nodes, dict(WIFI) if link else {})
    return solve(PlanView(WORKLOAD, TOPOLOGY, estimates=estimates)).plan


def steps_on(plan: Plan, node: NodeId) -> int:
    return sum(segment.stop_step - segment.start_step for segment in plan.segments if segment.node == node)


def test_a_cool_device_on_mains_keeps_its_work_beside_an_equal_edge() -> None:
    assert steps_on(plan(knowing(plugged=1.0, charge=1.0, temperature_c=25.0)), EDGE) == 0


@pytest.mark.parametrize(
    "readings",
    [
        {"clock_ratio": 0.3},
        {"load": 1.0},
        {"plugged": 0.0, "charge": 0.12, "temperature_c": 25.0, "headroom": 0.0},
        {"plugged": 0.0, "charge": 0.5, "temperature_c": 46.0},
    ],
    ids=["throttled", "busy", "drained", "hot"],
)
def test_a_device_in_need_gives_work_away(readings: dict[str, float]) -> None:
    assert steps_on(plan(knowing(**readings)), EDGE) > 0


@pytest.mark.parametrize("charge", [0.07, 0.2, 0.9])
def test_alone_it_does_everything_at_any_heat(charge: float) -> None:
    alone = plan(knowing(plugged=0.0, charge=charge, temperature_c=46.0, clock_ratio=0.3), link=False)
    assert steps_on(alone, DEVICE) == WORKLOAD.steps


def test_an_edge_without_room_gets_nothing() -> None:
    hot = knowing(clock_ratio=0.3)
    full = replace(knowing(memory_free_bytes=1.0))
    assert steps_on(plan(hot, edge=full), EDGE) == 0
