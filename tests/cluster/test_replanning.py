"""The planner's promise, live: a device that heats up or drains gives the work away and says why; nobody sees it."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from eapg_split.domain.request import Request
from eapg_split.planner.policy import Goal, Objective
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import JobDone, JobEvent, PlanMade, PlanReviewed, StepDone
from tests.cluster.test_telemetry import heated

pytestmark = pytest.mark.cluster

SLOW = "tests.toy_engine:open_slow_engine"
REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 12, 12))
PRIVATE = 5  # steps before it stay on the device anyway


def clock(root: Path, ratio: float) -> None:
    now = 2e6 * ratio
    for name, frequency in {
        "cpuinfo_max_freq": 2e6,
        "scaling_max_freq": now,
        "scaling_cur_freq": now,
    }.items():
        path = root / "devices/system/cpu/cpu0/cpufreq" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{frequency:.0f}\n")


def calm(root: Path) -> None:
    heated(root, 30.0, 80)
    clock(root, 1.0)


def hot(root: Path) -> None:
    heated(root, 47.0, 80)
    clock(root, 0.2)


def drained(root: Path) -> None:
    heated(root, 30.0, 6)


async def run(root: Path, *, meanwhile: Callable[[Path], None] | None = None) -> list[JobEvent]:
    """A job on a device with sensors at `root`, with others that ask for money.

    `meanwhile` happens to the sensors when the first steps that could be elsewhere are done.
    """
    calm(root)
    prices = root / "prices.toml"
    prices.write_text("price_per_s = 1.0\n")
    options = JobOptions(policy="dp-adaptive", suffix="", wishes=Objective(goal=Goal.COST))
    events: list[JobEvent] = []
    async with (
        local_topology(
            engine=SLOW,
            device_options=("--telemetry", f"sysfs:{root}"),
            other_options=("--config", str(prices)),
        ) as topology,
        asyncio.timeout(60),
        aclosing(generate(topology.device_address, REQUEST, options)) as job,
    ):
        async for event in job:
            events.append(event)
            if meanwhile is not None and isinstance(event, StepDone) and event.step == PRIVATE + 1:
                meanwhile(root)
    return events


def done_of(events: list[JobEvent]) -> JobDone:
    assert isinstance(events[-1], JobDone)
    return events[-1]


@pytest.mark.parametrize(("meanwhile", "trigger"), [(hot, "heat"), (drained, "battery")])
async def test_a_device_in_trouble_gives_its_work_away(
    meanwhile: Callable[[Path], None], trigger: str, tmp_path: Path
) -> None:
    undisturbed = done_of(await run(tmp_path / "calm"))
    assert [segment.node for segment in undisturbed.segments] == ["device"]
    events = await run(tmp_path / "trouble", meanwhile=meanwhile)
    done = done_of(events)
    nodes = [segment.node for segment in done.segments]
    assert nodes[0] == nodes[-1] == "device"  # the text and the decoding stay
    assert set(nodes[1:-1]) & {"edge", "cloud"}
    assert done.segments[0].stop_step > PRIVATE, "it ran here when it was moved"
    assert done.frames_sha256 == undisturbed.frames_sha256
    replaced = [e for e in events if isinstance(e, PlanReviewed) and e.outcome == "replace"]
    assert (replaced[0].trigger, replaced[0].node) == (trigger, "device")
    plans = [event for event in events if isinstance(event, PlanMade)]
    assert replaced[0].occasion in plans[1].reason
    assert replaced[0].reason in plans[1].reason
