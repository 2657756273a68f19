"""A policy that raises, hangs or returns nonsense costs one warning, never the job."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from eapg_split.codecs import CODECS
from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.request import Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.eapg.workload import unroll
from eapg_split.errors import InfeasiblePlan, InvalidRequest
from eapg_split.planner.device_only import DeviceOnlyPolicy
from eapg_split.planner.edge_only import EdgeOnlyPolicy
from eapg_split.planner.policy import (
    Measurement,
    Objective,
    Occasion,
    PlanView,
    Policy,
    Refusal,
    Revision,
    StepMeasured,
    Trigger,
)
from eapg_split.planner.pyramid import PyramidPolicy
from eapg_split.runtime.policy_host import HostLimits, PolicyHost, open_policy
from eapg_split.runtime.policy_state import PolicyStates

NAMES = tuple(CODECS)
WORKLOAD = unroll(Request("A cat running", steps=(2, 1, 1, 2)))
DEVICE, EDGE = NodeId("d"), NodeId("e")
TOPOLOGY = Topology((Node(DEVICE, Tier.DEVICE, codecs=NAMES), Node(EDGE, Tier.EDGE, codecs=NAMES)))
VIEW = PlanView(WORKLOAD, TOPOLOGY)
LATER = PlanView(WORKLOAD, TOPOLOGY, start_step=2)
LOST = PlanView(WORKLOAD, TOPOLOGY, start_step=2, unavailable=frozenset({EDGE}))
STEP = Occasion(Trigger.STEP, "a step was finished")
PYRAMID = PyramidPolicy().plan(VIEW)
QUICK = HostLimits(plan_s=0.2, revise_s=0.2)


class Scripted:
    """Does what it is told, in plan and in revise."""

    name = "scripted"

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self.calls = 0

    def plan(self, view: PlanView) -> Plan:
        self.calls += 1
        return self._act()  # type: ignore[return-value]

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        self.calls += 1
        return self._act()  # type: ignore[return-value]


def throw(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs in a test ends with it."""
    event = threading.Event()
    yield event
    event.set()


def host(policy: Policy | Callable[[], object]) -> PolicyHost:
    return PolicyHost(Scripted(policy) if callable(policy) else policy, limits=QUICK)


UNCOVERED = Plan((Segment(DEVICE, 0, 3),))
AWAY = Plan((Segment(EDGE, 0, 7), Segment(DEVICE, 7, 8)), (Cut(7, "lossless"),))
COARSE = Plan(
    (Segment(DEVICE, 0, 5), Segment(EDGE, 5, 7), Segment(DEVICE, 7, 8)), (Cut(5, "int4"), Cut(7, "int4"))
)
CHATTY = Plan((Segment(DEVICE, 0, 8),), notes=("x" * 10_000,))
FRACTION = Plan((Segment(DEVICE, 0, 8.0),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "nonsense", [None, 7, "plan", UNCOVERED, AWAY, COARSE, CHATTY, FRACTION, Revision(None, "keep")]
)
async def test_nonsense_costs_one_warning(nonsense: object) -> None:
    guarded = host(lambda: nonsense)
    first, second = await guarded.plan(VIEW), await guarded.plan(VIEW)
    assert first.value.segments == second.value.segments == PYRAMID.segments
    assert first.policy == "dp-static"
    assert "scripted" in first.warning
    assert first.warning.endswith(".")
    assert second.warning == ""
    assert guarded.failures == 2


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad\nluck"),
        ZeroDivisionError(),
        SystemExit(3),
        KeyboardInterrupt(),
        TimeoutError("mine"),
        asyncio.CancelledError(),
        StopIteration(),
        RecursionError(),
        MemoryError(),
    ],
)
async def test_what_is_raised_stays_inside(error: BaseException) -> None:
    guarded = host(throw(error))
    planned = await guarded.plan(VIEW)
    revised = await guarded.revise(LATER, planned.value, STEP)
    assert planned.value.segments == PYRAMID.segments
    assert type(error).__name__ in planned.warning
    assert "\n" not in planned.warning
    assert revised.value.plan is None
    assert revised.warning == ""


async def test_a_hang_is_left_alone_and_not_asked_again(gate: threading.Event) -> None:
    policy = Scripted(gate.wait)
    guarded = host(policy)
    began = time.perf_counter()
    first = await guarded.plan(VIEW)
    assert 0.15 < time.perf_counter() - began < 2
    assert "0.2 seconds" in first.warning
    began = time.perf_counter()
    assert (await guarded.revise(LATER, first.value, STEP)).value.plan is None
    assert time.perf_counter() - began < 0.15, "a policy that is still busy is not waited for"
    assert policy.calls == 1
    hanging = [thread for thread in threading.enumerate() if thread.name == "policy scripted"]
    assert hanging
    assert all(thread.daemon for thread in hanging)
    assert (await host(PyramidPolicy()).plan(VIEW)).warning == ""


async def test_a_policy_that_was_late_once_is_asked_again(gate: threading.Event) -> None:
    policy = Scripted(lambda: (gate.wait(), PYRAMID)[1])
    guarded = host(policy)
    await guarded.plan(VIEW)
    gate.set()
    await asyncio.sleep(0.05)
    answer = await guarded.plan(VIEW)
    assert (answer.policy, answer.warning) == ("scripted", "")


async def test_after_some_failures_it_is_out() -> None:
    policy = Scripted(throw(ValueError("no")))
    guarded = host(policy)
    for _ in range(6):
        await guarded.plan(VIEW)
    assert policy.calls == QUICK.failures


async def test_a_policy_that_finds_no_plan_lets_another_one_try_unless_it_refuses() -> None:
    answer = await host(throw(InfeasiblePlan("Too dear."))).plan(VIEW)
    assert answer.value.segments == PYRAMID.segments
    assert "Too dear" in answer.warning
    with pytest.raises(InfeasiblePlan, match="Too dear"):
        await host(throw(Refusal("Too dear."))).plan(VIEW)
    alone = PlanView(WORKLOAD, Topology(TOPOLOGY.nodes[:1]))
    with pytest.raises(InfeasiblePlan, match="tier edge"):
        await host(EdgeOnlyPolicy()).plan(alone)


async def test_where_no_fallback_finds_a_plan_the_first_reason_counts() -> None:
    gone = PlanView(WORKLOAD, TOPOLOGY, start_step=2, unavailable=frozenset({DEVICE}))
    with pytest.raises(InfeasiblePlan, match="Too dear"):
        await host(throw(InfeasiblePlan("Too dear."))).plan(gone)
    with pytest.raises(InfeasiblePlan, match="d, which is unavailable"):
        await host(throw(ValueError("no"))).plan(gone)


async def test_limits_of_the_objective_are_limits_of_every_policy() -> None:
    pinned = PlanView(WORKLOAD, TOPOLOGY, objective=Objective(pins={"stage4": EDGE}))
    answer = await host(DeviceOnlyPolicy()).plan(pinned)
    assert answer.warning == ""
    assert answer.value.segment_at(5).node == EDGE, "the fixed policies follow pins"
    stubborn = Plan((Segment(DEVICE, 0, 8),))
    answer = await host(lambda: stubborn).plan(pinned)
    assert "pinned" in answer.warning
    capped = PlanView(WORKLOAD, TOPOLOGY, objective=Objective(memory_caps={EDGE: 1000}))
    assert "capped" in (await host(lambda: PYRAMID).plan(capped)).warning
    few = PlanView(WORKLOAD, TOPOLOGY, objective=Objective(max_cuts=1))
    assert "1 are allowed" in (await host(lambda: PYRAMID).plan(few)).warning
    assert (await host(PyramidPolicy()).plan(few)).warning == "", (
        "the fixed policies make do with fewer nodes"
    )


async def test_a_policy_without_revise_plans_again_only_when_it_must() -> None:
    guarded = host(PyramidPolicy())
    assert (await guarded.revise(LATER, PYRAMID, STEP)).value.plan is None
    answer = await guarded.revise(LOST, PYRAMID, STEP)
    assert answer.value.plan is not None
    assert [segment.node for segment in answer.value.plan.segments] == [DEVICE]
    assert "unavailable" in answer.value.reason


@pytest.mark.parametrize(
    "nonsense", [None, PYRAMID, Revision(PYRAMID, "starts too early"), Revision(None, "keep")]
)
async def test_a_nonsense_revision_of_a_broken_plan_is_replaced(nonsense: object) -> None:
    answer = await host(lambda: nonsense).revise(LOST, PYRAMID, STEP)
    assert answer.value.plan is not None
    assert answer.warning


class Learner:
    """Counts what it saw."""

    name = "learner"

    def __init__(self) -> None:
        self.seen = 0

    def plan(self, view: PlanView) -> Plan:
        return PyramidPolicy().plan(view)

    def observe(self, measurement: Measurement) -> None:
        self.seen += 1

    def state_dict(self) -> Mapping[str, object]:
        return {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        if not isinstance(state.get("seen"), int):
            raise ValueError("there is no count")
        self.seen = state["seen"]  # type: ignore[assignment]


async def test_what_is_learned_outlives_the_job(tmp_path: Path) -> None:
    states = PolicyStates(tmp_path / "policies")
    for _ in range(2):
        guarded = PolicyHost(Learner(), states=states)
        await guarded.plan(VIEW)
        guarded.observe(StepMeasured(DEVICE, 0, 0.5))
        guarded.observe(StepMeasured(DEVICE, 1, 0.5))
        assert await guarded.close() == ""
    (file,) = (tmp_path / "policies").iterdir()
    assert json.loads(file.read_text()) == {"seen": 4}


@pytest.mark.parametrize("damage", ["", "[]", "{}", "{" * 100_000, '"' + "x" * (1 << 21) + '"'])
async def test_a_damaged_state_costs_a_warning_and_a_new_start(tmp_path: Path, damage: str) -> None:
    states = PolicyStates(tmp_path)
    states.save(Learner())
    file = next(tmp_path.glob("*.json"))  # noqa: ASYNC240
    file.write_text(damage)
    guarded = PolicyHost(Learner(), states=states)
    answer = await guarded.plan(VIEW)
    assert answer.policy == "learner"
    assert "anew" in answer.warning
    assert await guarded.close() == ""
    assert json.loads(file.read_text()) == {"seen": 0}


async def test_a_state_that_cannot_be_kept_is_a_warning(tmp_path: Path) -> None:
    class Greedy(Learner):
        def state_dict(self) -> Mapping[str, object]:
            return {"x": "y" * (1 << 20)}

    guarded = PolicyHost(Greedy(), states=PolicyStates(tmp_path))
    await guarded.plan(VIEW)
    assert "not kept" in await guarded.close()
    assert not any(tmp_path.glob("*"))  # noqa: ASYNC240


async def test_loading_a_policy_holds_up_nothing_and_has_a_limit(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(3600)\n")
    began = time.perf_counter()
    with pytest.raises(InvalidRequest, match=r"0\.1 seconds"):
        await open_policy(str(slow), 0.1)
    assert time.perf_counter() - began < 2
    assert (await open_policy("pyramid")).name == "pyramid"
    with pytest.raises(InvalidRequest, match="no policy"):
        await open_policy("fastest")
