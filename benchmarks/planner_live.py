"""The planner on real daemons behind shaped links: beside every fixed plan, and when a link breaks down mid-job.

Nodes of given speeds wait instead of computing (`emulation.paced`), so that three of them fit on a small machine;
everything else is the product: daemons, gRPC, hand-offs, telemetry, probes, profiles. What is compared is what the
setting asks to make small: the job's seconds, or the joules of the device by its documented model.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Final

from figures import Row
from planner_fixed import monotone
from planner_topology import Shape, Speeds, Topology, running
from wire_shaper import Link

from eapg_split.domain.request import Privacy, Request
from eapg_split.errors import DeadlineExceeded, EapgError
from eapg_split.planner.policy import Goal, Objective
from eapg_split.planner.priors import ACTIVE_W, IDLE_W, RADIO
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.runtime.events import JobDone, JobEvent, StepDone
from eapg_split.runtime.settings import PeerAddress

SUBJECT: Final = "dp-adaptive"
RIVALS: Final = ("cloud-only", "device-only", "neurosurgeon")
FIXED_BAR, RIVAL_BAR, DROP_BAR = 1.10, 1.03, 0.97  # what is less ahead than that is noise
_PATIENCE: Final = 1.5  # a fixed plan that takes so many times the best so far is not the best
_DROP_AFTER_S: Final = 1.0
_DROP: Final = 20.0


@dataclass(frozen=True)
class Setting:
    """One situation; `busy` keeps the cloud computing for somebody else."""

    name: str
    shape: Shape
    privacy: Privacy = Privacy.ANY
    goal: Goal = Goal.LATENCY
    busy: bool = False

    @property
    def request(self) -> Request:
        return Request("A cat running", seconds=2.0, width=256, height=144, privacy=self.privacy)


@dataclass
class Job:
    """What a job cost: its seconds, and the device's joules."""

    seconds: float
    joules: float
    placed: str = ""
    revisions: int = 0

    def cost(self, goal: Goal) -> float:
        return self.joules if goal is Goal.ENERGY else self.seconds


def _links(mbit: float, rtt_s: float = 0.04, **more: object) -> Shape:
    return replace(Shape(Link(mbit * 1e6, rtt_s / 2), Link(mbit * 1e6, rtt_s)), **more)  # type: ignore[arg-type]


SETTINGS: Final = (
    *(Setting(f"{rate:g} Mbit/s", _links(rate)) for rate in (0.5, 2, 10, 50, 200)),
    Setting("prompt kept, 2 Mbit/s", _links(2), Privacy.PROMPT_LOCAL),
    Setting("prompt kept, 100 Mbit/s", _links(100), Privacy.PROMPT_LOCAL),
    Setting("edge near, cloud far", Shape(Link(100e6, 0.01), Link(2e6, 0.12))),
    Setting("slow edge, 10 Mbit/s", _links(10, speeds=Speeds(edge=3e10))),
    Setting("busy cloud, 20 Mbit/s", _links(20), busy=True),
    Setting("low battery, 5 Mbit/s, energy", _links(5, charge=0.2), goal=Goal.ENERGY),
    Setting("hot device, 5 Mbit/s", _links(5, clock=0.45)),
    Setting("fast device, 5 Mbit/s", _links(5, speeds=Speeds(device=2e11))),
)
QUICK: Final = ("200 Mbit/s",)
# slow enough that there is time to notice: a link that nobody uses is looked at every few seconds
DROP: Final = Setting("20x less bandwidth mid-job", _links(20, speeds=Speeds(1e10, 1.5e10, 2e10)))


def measure(*, quick: bool, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of every setting, and of the link that breaks down."""
    for setting in SETTINGS:
        if not quick or setting.name in QUICK:
            yield from asyncio.run(_setting(setting, runs=1 if quick else 3, say=say))
    yield asyncio.run(_drop(runs=1 if quick else 3, say=say))


async def _setting(setting: Setting, *, runs: int, say: Callable[[str], None]) -> list[Row]:
    async with _daemons(setting) as topology:
        rivals = {name: await _jobs(topology, setting, name, runs) for name in RIVALS}
        ours = await _jobs(topology, setting, SUBJECT, runs)
        best, plan = await _best_fixed(topology, setting, rivals)
        if plan not in rivals:  # the least of many single runs is a lucky one
            best = _cost(await _jobs(topology, setting, f"planner_fixed:{plan}", runs), setting)
    costs = {name: _cost(jobs, setting) for name, jobs in rivals.items()}
    cost, rival = _cost(ours, setting), min(costs.values())
    unit = "J" if setting.goal is Goal.ENERGY else "s"
    say(
        f"  {setting.name}: ours {cost:.2f} {unit} by {ours[-1].placed}; best fixed {best:.2f} by {plan}; {costs}"
    )
    label = f"live, {setting.name}: {SUBJECT} over the best fixed plan ({plan})"
    beside = {f"{name}, {unit}": round(value, 2) for name, value in costs.items()}
    beside |= {f"best fixed plan, {unit}": round(best, 2), f"{SUBJECT}, {unit}": round(cost, 2)}
    ratio, ahead = cost / best, cost / rival
    return [
        Row(label, round(ratio, 3), beside, f"<= {FIXED_BAR}", ratio <= FIXED_BAR),
        Row(
            f"live, {setting.name}: {SUBJECT} over the best of {', '.join(RIVALS)}",
            round(ahead, 3),
            {},
            f"<= {RIVAL_BAR}",
            ahead <= RIVAL_BAR,
        ),
    ]


async def _best_fixed(
    topology: Topology, setting: Setting, rivals: dict[str, list[Job]]
) -> tuple[float, str]:
    """The cheapest of all monotone plans; what takes far longer than the best so far is broken off."""
    best, best_plan = min((_cost(jobs, setting), name) for name, jobs in rivals.items())
    for letters in monotone(setting.privacy is Privacy.PROMPT_LOCAL):
        limit = _PATIENCE * best + 1 if setting.goal is Goal.LATENCY else 0.0
        try:
            job = await run_job(topology, setting, f"planner_fixed:{letters}", deadline_s=limit)
        except DeadlineExceeded:
            continue
        if job.cost(setting.goal) < best:
            best, best_plan = job.cost(setting.goal), letters
    return best, best_plan


async def _drop(*, runs: int, say: Callable[[str], None]) -> Row:
    """The link to both remotes carries a twentieth, a second after the job began: revised, or as it was planned."""
    costs: dict[str, list[float]] = {"dp-static": [], SUBJECT: []}
    for _ in range(runs):
        for name, seconds in costs.items():
            async with _daemons(DROP) as topology:
                job = asyncio.create_task(run_job(topology, DROP, name))
                await asyncio.sleep(_DROP_AFTER_S)
                for link in topology.links.values():
                    link.set_rate(20e6 / _DROP)
                seconds.append((await job).seconds)
    ours, static = (median(costs[name]) for name in (SUBJECT, "dp-static"))
    say(f"  {DROP.name}: {costs}")
    beside = {f"{SUBJECT}, s": round(ours, 2), "the plan it began with, s": round(static, 2)}
    label, ratio = f"live, {DROP.name}: over the plan it began with", ours / static
    return Row(label, round(ratio, 3), beside, f"<= {DROP_BAR}", ratio <= DROP_BAR)


async def _jobs(topology: Topology, setting: Setting, policy: str, runs: int) -> list[Job]:
    return [await run_job(topology, setting, policy) for _ in range(runs)]


def _cost(jobs: Sequence[Job], setting: Setting) -> float:
    return median(job.cost(setting.goal) for job in jobs)


async def run_job(topology: Topology, setting: Setting, policy: str, *, deadline_s: float = 0.0) -> Job:
    """One job on the device's daemon."""
    options = JobOptions(
        policy=policy, suffix=".mp4", deadline_s=deadline_s, wishes=Objective(goal=setting.goal)
    )
    tally = _Tally()
    async for event in generate(topology.device, setting.request, options):
        tally.take(event)
    return tally.job()


@dataclass
class _Tally:
    """Counts what a job cost while it runs."""

    device_s: float = 0.0
    done: JobDone | None = None
    plans: int = field(default=0)

    def take(self, event: JobEvent) -> None:
        if isinstance(event, StepDone) and event.node == "device":
            self.device_s += event.seconds
        elif isinstance(event, JobDone):
            self.done = event

    def job(self) -> Job:
        assert self.done is not None, "generate() ends with JobDone or an error"
        done = self.done
        joules = ACTIVE_W * self.device_s + IDLE_W * max(0.0, done.wall_s - self.device_s)
        for hop in done.hops:
            sent, received = hop.source == "device", hop.target == "device"
            joules += hop.wire_bytes * (
                RADIO.sending.joules_per_byte * sent + RADIO.receiving.joules_per_byte * received
            )
        placed = " ".join(
            f"{part.node[0].upper()}{part.start_step}-{part.stop_step}" for part in done.segments
        )
        return Job(done.wall_s, joules, placed)


@asynccontextmanager
async def _daemons(setting: Setting) -> AsyncIterator[Topology]:
    with (
        tempfile.TemporaryDirectory(prefix="planner-live-") as folder,
        running(setting.shape, Path(folder)) as topology,
    ):
        if not setting.busy:
            yield topology
            return
        with running(setting.shape, _sub(folder)) as other:
            load = asyncio.create_task(_keep_busy(other, topology.cloud))
            await asyncio.sleep(1.0)
            try:
                yield topology
            finally:
                load.cancel()
                await asyncio.gather(load, return_exceptions=True)


def _sub(folder: str) -> Path:
    path = Path(folder) / "other"
    path.mkdir()
    return path


async def _keep_busy(other: Topology, cloud: str) -> None:
    """Another person's jobs on the same cloud node, one after the other."""
    options = JobOptions(policy="planner_fixed:CCCCC", peers=(PeerAddress("cloud", cloud),))
    request = Request("A dog", seconds=2.0, width=256, height=144, privacy=Privacy.ANY)
    while True:
        try:
            async for _ in generate(other.device, request, options):
                pass
        except EapgError:
            await asyncio.sleep(0.1)
