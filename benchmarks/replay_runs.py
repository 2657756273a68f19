"""Real runs with logs: three daemons behind shaped links, under several policies one after the other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planner_topology import Shape, Speeds, Topology, running
from wire_shaper import Link, ShaperProcess

from eapg_split.cli.run_log import LogWriter
from eapg_split.cli.run_log.writer import header_of
from eapg_split.domain.request import Privacy, Request
from eapg_split.eapg.workload import unroll
from eapg_split.rpc.job_client import JobOptions, generate

_ANY: Final = Request("A cat running", seconds=2.0, width=256, height=144, privacy=Privacy.ANY)
_KEPT: Final = Request("A cat running", seconds=2.0, width=256, height=144)
_SPEEDS: Final = Speeds(2e10, 5e10, 1e11)  # slow enough that a job lasts some seconds


@dataclass(frozen=True)
class Setting:
    """One world; `drop` is the second of a job from which both links carry so many bits a second."""

    name: str
    shape: Shape
    policies: Sequence[str]
    request: Request = _KEPT
    codec: str = "lossless"
    drop: tuple[float, float] | None = None


def _shape(mbit: float, clock: float = 1.0) -> Shape:
    return Shape(Link(mbit * 1e6, 0.02), Link(mbit * 1e6, 0.04), _SPEEDS, clock=clock)


_ALL: Final = ("pyramid", "dp-adaptive", "cloud-only", "edge-only", "device-only")
SETTINGS: Final = (
    Setting("20 Mbit/s", _shape(20), _ALL),
    Setting("2 Mbit/s, any node may read", _shape(2), _ALL, _ANY),
    Setting("1 Mbit/s, clean", _shape(1), _ALL, _KEPT, "clean"),
    Setting("hot device, 5 Mbit/s", _shape(5, clock=0.5), _ALL),
    Setting("8 Mbit/s, 2 after 3 s", _shape(8), ("pyramid", "dp-adaptive", "edge-only"), drop=(3.0, 2e6)),
)
QUICK: Final = ("20 Mbit/s",)
QUICK_POLICIES: Final = ("pyramid", "device-only")


def record(
    setting: Setting, folder: Path, policies: Sequence[str], times: int, say: Callable[[str], None]
) -> dict[str, list[Path]]:
    """The logs of each policy, `times` of them, on daemons that run as long as it takes."""
    folder.mkdir(parents=True)
    logs: dict[str, list[Path]] = {policy: [] for policy in policies}
    with running(setting.shape, folder) as topology:
        for number in range(times):
            for policy in policies:
                path = folder / f"{policy}-{number}.jsonl"
                asyncio.run(_job(setting, policy, topology, path))
                logs[policy].append(path)
                say(f"  recorded {setting.name}: {policy} {number}")
    return logs


async def _job(setting: Setting, policy: str, topology: Topology, path: Path) -> None:
    options = JobOptions(policy=policy, codec=setting.codec, suffix=".mp4", observations=True)
    header = header_of(
        unroll(setting.request),
        understood="",
        policy=policy,
        codec=setting.codec,
        quality_db=45.0,
        engine="paced",
    )
    with LogWriter(path, header, print) as log:
        async with _dropping(setting, topology.links):
            async for event in generate(topology.device, setting.request, options):
                log.add(event)


@asynccontextmanager
async def _dropping(setting: Setting, links: Mapping[str, ShaperProcess]) -> AsyncIterator[None]:
    """The links as they are at first, and then as `drop` says, for as long as the block lasts."""

    async def change(after_s: float, rate: float) -> None:
        await asyncio.sleep(after_s)
        for link in links.values():
            link.set_rate(rate)

    if setting.drop is None:
        yield
        return
    for link in links.values():
        link.set_rate(setting.shape.edge_link.rate_bit_s)
    changing = asyncio.create_task(change(*setting.drop))
    try:
        yield
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
