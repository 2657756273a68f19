"""Recorded runs for tests: as a log of a simulated job would tell them, or made up."""

import math
from dataclasses import replace

from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.eapg.workload import unroll
from eapg_split.planner.policy import Objective
from simulations.recorded import (
    RecordedHop,
    RecordedLink,
    RecordedNode,
    RecordedRun,
    RecordedSample,
    RecordedStep,
    RecordedTrip,
)

CLIP = Request("A cat running", seconds=1.0, width=128, height=72)
DEVICE, EDGE = NodeId("phone"), NodeId("box")
SPEEDS = {DEVICE: 1e10, EDGE: 4e10}


def node(name: NodeId, tier: Tier, flops_per_s: float | None = None) -> RecordedNode:
    """A node whose profile says so many operations a second of everything."""
    rate = flops_per_s or SPEEDS[name]
    costs = {
        stage.name: StageCost(0.0, rate, memory_bytes=stage.memory_bytes, entry_flops_per_s=rate)
        for stage in unroll(CLIP).stages
    }
    return RecordedNode(name, tier, None, 0.0, costs)


def run_of(
    *,
    bits_per_s: float = 8e6,
    slower: float = 1.0,
    rtt_s: float = 0.02,
    handed_over: bool = True,
) -> RecordedRun:
    """The last stage runs on the edge where it was `handed_over`; steps take `slower` times what profiles say."""
    workload = unroll(CLIP)
    steps, hops, samples = list[RecordedStep](), list[RecordedHop](), list[RecordedSample]()
    now_s, before = 0.5, None
    for step in range(workload.steps):
        stage = workload.stage_of(step)
        where = EDGE if handed_over and stage.name == "stage4" else DEVICE
        if before not in (None, where):
            assert before is not None
            size = 300_000
            seconds = 8 * size / bits_per_s
            hops.append(RecordedHop((before, where), step, "lossless", size, now_s, seconds + rtt_s))
            now_s += seconds
            samples.append(RecordedSample((before, where), size, seconds, now_s))
            now_s += rtt_s
        entry = stage.entry_flops if step == stage.start_step else 0.0
        seconds = slower * (stage.flops_per_step + entry) / SPEEDS[where]
        steps.append(RecordedStep(where, stage.name, step, now_s, seconds, before != where))
        now_s, before = now_s + seconds, where
    ways = ((DEVICE, EDGE), (EDGE, DEVICE))
    return RecordedRun(
        name="run.jsonl",
        request=CLIP,
        objective=Objective(codec="lossless"),
        deadline_s=math.inf,
        policy="device-only",
        began_s=1e9,
        planned_s=0.5,
        wall_s=now_s + 0.1,
        nodes=(node(DEVICE, Tier.DEVICE), node(EDGE, Tier.EDGE)),
        links=tuple(RecordedLink(ends, bits_per_s, rtt_s, True, 1.0, False, 0.3) for ends in ways),
        samples=tuple(samples),
        trips=(RecordedTrip(EDGE, rtt_s, 0.2),),
        steps=tuple(steps),
        hops=tuple(hops),
    )


def alone(**more: float) -> RecordedRun:
    """All of it on the device."""
    return replace(run_of(handed_over=False, **more))
