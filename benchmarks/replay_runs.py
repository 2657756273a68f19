"""Real runs with logs: three daemons behind shaped links, one job after the other, under several rates and policies."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from planner_topology import Shape, Speeds, Topology, running
from wire_shaper import Link

from eapg_split.cli.run_log import LogWriter
from eapg_split.cli.run_log.writer import header_of
from eapg_split.domain.request import Privacy, Request
from eapg_split.eapg.workload import unroll
from eapg_split.rpc.job_client import JobOptions, generate

CLIP: Final = Request("A cat running", seconds=2.0, width=256, height=144, privacy=Privacy.ANY)
KEPT: Final = Request("A cat running", seconds=2.0, width=256, height=144)
_SPEEDS: Final = Speeds(1e10, 3e10, 8e10)  # slow enough that a job lasts some seconds


@dataclass(frozen=True)
class RealRun:
    """One job; `rates` are bits a second of both links and the second of the job from which they hold."""

    name: str
    policy: str
    shape: Shape
    request: Request = CLIP
    codec: str = "lossless"
    rates: Sequence[tuple[float, float]] = field(default=())


def _shape(mbit: float, **more: float) -> Shape:
    return Shape(Link(mbit * 1e6, 0.02), Link(mbit * 1e6, 0.04), _SPEEDS, **more)


RUNS: Final = (
    RealRun("pyramid, 20 Mbit/s", "pyramid", _shape(20), KEPT),
    RealRun("pyramid, 2 Mbit/s", "pyramid", _shape(2), KEPT),
    RealRun("adaptive, 5 Mbit/s", "dp-adaptive", _shape(5)),
    RealRun("adaptive, 100 Mbit/s", "dp-adaptive", _shape(100)),
    RealRun("adaptive, prompt kept, 1 Mbit/s", "dp-adaptive", _shape(1), KEPT),
    RealRun("cloud-only, 10 Mbit/s", "cloud-only", _shape(10)),
    RealRun("edge-only, clean, 0.5 Mbit/s", "edge-only", _shape(0.5), KEPT, "clean"),
    RealRun("device-only", "device-only", _shape(10)),
    RealRun("adaptive, hot device, 5 Mbit/s", "dp-adaptive", _shape(5, clock=0.5), KEPT),
    RealRun("adaptive, 20 to 1 Mbit/s", "dp-adaptive", _shape(20), KEPT, "lossless", ((1.0, 1e6),)),
    RealRun("pyramid, 8 to 2 Mbit/s", "pyramid", _shape(8), KEPT, "lossless", ((4.0, 2e6),)),
)
QUICK: Final = ("pyramid, 20 Mbit/s", "adaptive, 5 Mbit/s")


def record(run: RealRun, folder: Path, *, times: int = 1) -> list[Path]:
    """Runs it on daemons of its own, `times` times; returns the logs, which are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = [folder / f"log{number}.jsonl" for number in range(times)]
    with running(run.shape, folder) as topology:
        for log in logs:
            asyncio.run(_job(run, topology, log))
    return logs


async def _job(run: RealRun, topology: Topology, path: Path) -> None:
    options = JobOptions(policy=run.policy, codec=run.codec, suffix=".mp4", observations=True)
    header = header_of(
        unroll(run.request),
        understood="",
        policy=run.policy,
        codec=run.codec,
        quality_db=45.0,
        engine="paced",
    )
    with LogWriter(path, header, print) as log:
        async with _shaping(run, topology):
            async for event in generate(topology.device, run.request, options):
                log.add(event)


@asynccontextmanager
async def _shaping(run: RealRun, topology: Topology) -> AsyncIterator[None]:
    """The links as they were at first, and then as `rates` say, for as long as the block lasts."""

    async def change() -> None:
        began = asyncio.get_running_loop().time()
        for at_s, rate in run.rates:
            await asyncio.sleep(max(0.0, began + at_s - asyncio.get_running_loop().time()))
            for link in topology.links.values():
                link.set_rate(rate)

    for name, link in topology.links.items():
        link.set_rate((run.shape.edge_link if name == "edge" else run.shape.cloud_link).rate_bit_s)
    changing = asyncio.create_task(change())
    try:
        yield
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


def record_all(
    runs: Sequence[RealRun], folder: Path, say: Callable[[str], None], *, times: int = 1
) -> list[tuple[RealRun, Path]]:
    """All of them, one after the other."""
    found = []
    for number, run in enumerate(runs):
        logs = record(run, folder / f"run{number}", times=times)
        say(f"  recorded {run.name}: {len(logs)} jobs")
        found += [(run, log) for log in logs]
    return found
