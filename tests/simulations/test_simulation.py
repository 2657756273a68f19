import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from eapg_split.domain.plan import Plan
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId
from eapg_split.planner import POLICIES
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.planner.policy import Occasion, PlanView, Revision, Trigger
from eapg_split.planner.solve import price
from simulations.arrivals import Listed, Poisson
from simulations.body import Cell
from simulations.faults import Fault
from simulations.outcomes import End
from simulations.traces import MMWAVE_5G, RateTrace, synthetic
from tests.simulations.small import CLOUD, DEVICE, EDGE, FLOPS, WAYS, WORKLOAD, layout, run

ROOT = Path(__file__).parents[2]
STRANGERS = sorted((ROOT / "examples" / "policies").glob("*.py"))

# until the farthest node has said who and how it is, and before that asked the edge the same
ASKING_S = 2 * WAYS[DEVICE, CLOUD].delay_s + 2 * WAYS[EDGE, CLOUD].delay_s


def computing_s(node: NodeId, *names: str) -> float:
    """All steps on one node, or those of some stages."""
    stages = [stage for stage in WORKLOAD.stages if not names or stage.name in names]
    each = [(s.stop_step - s.start_step) * (0.005 + s.flops_per_step / FLOPS[node]) for s in stages]
    return sum(each) + sum(s.entry_flops for s in stages) / FLOPS[node]


def busy_world() -> list[str]:
    """The lines of a run in which much happens."""
    lines = list[str]()
    world = layout(
        {
            DEVICE: {"noise": 0.05, "cell": Cell(0.5), "heat": ThermalModel()},
            CLOUD: {"warm": False, "slots": 1},
        },
        {"up": synthetic(MMWAVE_5G, 200, seed=3).scaled(0.02)},
    )
    faults = (Fault(20.0, 15.0, node=EDGE), Fault(60.0, 8.0, medium="up-cloud"))
    run(world=world, arrivals=Poisson(15.0, until_s=120.0), faults=faults, write=lines.append)
    return lines


def test_a_job_on_its_device_takes_its_steps() -> None:
    (outcome,) = run("device-only").outcomes
    assert outcome.end is End.DONE
    assert outcome.latency_s == pytest.approx(ASKING_S + computing_s(DEVICE), rel=1e-9)
    assert (outcome.nodes, outcome.sent_bytes) == ([DEVICE], 0)


def test_a_first_plan_knows_how_its_nodes_are_and_waits_for_no_more_than_that() -> None:
    seen = list[tuple[float, float]]()

    class Telling(DpStaticPolicy):
        def plan(self, view: PlanView) -> Plan:
            assert view.estimates is not None
            last = view.workload.steps - 2
            seen.append((view.now_s, view.estimates.nodes[CLOUD].step_s[last]))
            return super().plan(view)

    for load in (0.0, 0.4):
        run(Telling, layout({CLOUD: {"load": load}}), arrivals=Listed((0.0, 30.0)))
    (_, idle_s), (again_s, _), (_, busy_s), _ = seen
    assert busy_s == pytest.approx(idle_s / 0.6, rel=0.1)  # at the very first plan
    assert again_s == pytest.approx(ASKING_S)  # no link is stale


@pytest.mark.parametrize(("step_s", "every"), [(0.5, 1), (0.1, 3)])
def test_plain_steps_are_looked_at_as_often_as_live(step_s: float, every: int) -> None:
    """Of short steps not each; what happens besides is always looked at."""
    looks = list[int]()

    class Counting(DpAdaptivePolicy):
        def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
            if occasion.trigger is Trigger.STEP:
                looks.append(view.start_step)
            return super().revise(view, current, occasion)

    each = {stage.name: StageCost(step_s, 1e15) for stage in WORKLOAD.stages}
    pins = {stage.name: DEVICE for stage in WORKLOAD.stages}
    run(Counting, layout({name: {"stages": each} for name in FLOPS}), pins=pins)
    assert looks[:2] == [1, 2], "the first two are free"
    assert {after - before for before, after in pairwise(looks[1:])} == {every}


def test_in_a_calm_world_a_job_takes_what_its_plan_said() -> None:
    """The simulator and the planner's cost model agree, but that the planner counts round trips for one-way delays."""
    told = list[float]()

    class Telling(DpStaticPolicy):
        def plan(self, view: PlanView) -> Plan:
            plan = super().plan(view)
            told.append(price(view, plan).time_s)
            return plan

    lines = list[str]()
    # the first job meets the links, the second knows them; it plans after it has looked at them again
    outcomes = run(Telling, arrivals=Listed((0.0, 100.0)), write=lines.append).outcomes
    planned_s = [json.loads(line)["at_s"] for line in lines if '"plan"' in line][-1]
    assert outcomes[1].nodes != [DEVICE]
    assert outcomes[1].ended_s - planned_s == pytest.approx(told[1], rel=5e-3)


def test_one_seed_gives_the_same_bytes_in_any_process() -> None:
    ours = hashlib.sha256("".join(busy_world()).encode()).hexdigest()
    code = (
        "from tests.simulations.test_simulation import busy_world; import hashlib;"
        "print(hashlib.sha256(''.join(busy_world()).encode()).hexdigest())"
    )
    for hash_seed in ("1", "2"):
        path = os.pathsep.join([str(ROOT)])
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.strip() == ours


def test_one_more_node_changes_no_other_ones_draws() -> None:
    noisy = {DEVICE: {"noise": 0.2}}
    alone, more = layout(noisy), layout(noisy)
    more = replace(more, nodes=(replace(more.nodes[1], id=NodeId("another")), *more.nodes))
    times = [run("device-only", world).outcomes[0].latency_s for world in (alone, more)]
    assert times[0] == times[1] != pytest.approx(computing_s(DEVICE))


@pytest.mark.parametrize("policy", [*POLICIES, *map(str, STRANGERS)])
def test_every_policy_runs_as_it_is(policy: str) -> None:
    """Ours, and those of strangers from the examples, with nothing of the simulator in them."""
    outcomes = run(policy, layout({DEVICE: {"noise": 0.05}}), arrivals=Listed((0.0, 30.0))).outcomes
    assert [(each.end, each.policy_failures) for each in outcomes] == [(End.DONE, 0)] * 2


def test_a_node_that_dies_costs_the_job_its_segment_and_not_more() -> None:
    whole = run().outcomes[0]
    assert EDGE in whole.nodes
    lines = list[str]()
    fault = Fault(whole.latency_s - computing_s(DEVICE, "decode") - 0.15, math.inf, node=EDGE)
    (outcome,) = run(faults=(fault,), write=lines.append).outcomes
    assert (outcome.end, outcome.failures > 0) == (End.DONE, True)
    assert outcome.nodes[-1] == DEVICE
    assert outcome.latency_s > whole.latency_s
    done = [line for line in lines if '"event":"step"' in line]
    assert len(done) < 2 * WORKLOAD.steps


def test_a_dead_link_is_left_by_who_looks_again_and_waited_for_by_who_does_not() -> None:
    slow = layout(rates={name: RateTrace(np.array([2e6])) for name in ("up", "up-cloud")})
    dark = tuple(Fault(0.45, 60.0, medium=medium) for medium in ("up", "up-cloud"))
    static, adaptive = (run(name, slow, faults=dark).outcomes[0] for name in ("cloud-only", "dp-adaptive"))
    assert adaptive.end is End.DONE
    assert adaptive.latency_s < static.latency_s


def test_the_deadline_ends_a_job_that_is_late() -> None:
    (outcome,) = run("device-only", deadline_s=1.0).outcomes
    assert (outcome.end, outcome.latency_s) == (End.LATE, 1.0)


def test_heat_slows_a_device_down_and_work_empties_its_battery() -> None:
    hot = layout({DEVICE: {"heat": ThermalModel(air_c=38.0), "cell": Cell(0.5)}})
    result = run("device-only", hot, arrivals=Listed((0.0, 1.0, 2.0)))
    cool = run("device-only", arrivals=Listed((0.0, 1.0, 2.0)))
    assert result.outcomes[-1].latency_s > 1.1 * cool.outcomes[-1].latency_s
    assert result.charge[DEVICE] < 0.5
    assert cool.charge[DEVICE] == 1.0


def test_a_battery_that_is_empty_ends_the_job() -> None:
    (outcome,) = run("device-only", layout({DEVICE: {"cell": Cell(0.0001)}})).outcomes
    assert (outcome.end, outcome.why) == (End.FAILED, "The device went off.")


def test_a_full_node_is_come_back_to() -> None:
    one = layout({CLOUD: {"slots": 1}, EDGE: {"slots": 1}})
    outcomes = run("cloud-only", one, arrivals=Listed((0.0, 0.1, 0.2))).outcomes
    assert all(each.end is End.DONE for each in outcomes)
    assert sum(each.failures for each in outcomes) > 0


def test_steps_of_a_batch_are_cheaper_together() -> None:
    arrivals = Listed((0.0,) * 4)
    times = []
    for batch in (1, 4):
        world = layout({CLOUD: {"batch": batch, "batch_cost": 0.1, "slots": 8}, DEVICE: {"slots": 8}})
        outcomes = run("cloud-only", world, arrivals=arrivals, privacy=Privacy.ANY).outcomes
        times.append(np.mean([each.latency_s for each in outcomes]))
    assert times[1] < times[0]


def test_who_is_still_running_at_the_end_is_open() -> None:
    (outcome,) = run("device-only", until_s=1.0).outcomes
    assert (outcome.end, outcome.ended_s) == (End.OPEN, 1.0)
