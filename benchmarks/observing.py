"""What do watching and mutual TLS cost? python benchmarks/observing.py [--quick] [--json FILE]

Three topologies of three warm daemons on this machine run the default clip in turns: one with all of it off, one with
metrics (read every second), traces to a file and logs in JSON at level info, one with mutual TLS. Ratios are of one
turn each, so that a busy machine slows both sides; every figure is the median, the smallest and the largest beside it.
Processor time is that of all three daemons: other programs do not disturb it.

Exit code 0 when every bar holds, 1 otherwise. `--quick` takes a small short clip twice: it shows that all works, and
judges the frames only, since fixed costs are most of so small a job.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import urllib.request
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from figures import Row, show, write

from eapg_split.domain.request import Request
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_credentials import Protection
from eapg_split.rpc.local_topology import LocalTopology, local_topology
from eapg_split.runtime.events import JobDone

PROMPT: Final = "A cat running"
SAME_FRAMES: Final = "the same frames in every way"
MOST: Final = 1.02  # of the time with everything off
OFF: Final = "off"
WATCHED: Final = "metrics, traces and logs"
SECURE: Final = "mutual TLS"
SCRAPE_S: Final = 1.0


@dataclass(frozen=True)
class Spent:
    """What one job took."""

    wall_s: float
    processor_s: float
    frames_sha256: str


async def measured(request: Request, turns: int, engine: str, threads: int) -> Mapping[str, Sequence[Spent]]:
    """What each side's jobs took, turn by turn, after one turn that warms all of them."""
    spent: dict[str, list[Spent]] = {OFF: [], WATCHED: [], SECURE: []}
    order = deque(spent)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = {
            OFF: await stack.enter_async_context(local_topology(engine=engine, threads=threads)),
            WATCHED: await stack.enter_async_context(_watched(folder, engine, threads)),
            SECURE: await stack.enter_async_context(
                local_topology(engine=engine, threads=threads, protection=Protection.CERTIFICATES)
            ),
        }
        for turn in range(turns + 1):
            for name in order:
                job = await _job(sides[name], request)
                if turn > 0:
                    spent[name].append(job)
            order.rotate(1)  # so that none is always the one that comes after a certain other
        _check_watched(sides[WATCHED], folder)
    return spent


async def _job(daemons: LocalTopology, request: Request) -> Spent:
    before_s = _processor_s(daemons)
    stream = generate(daemons.device_address, request, JobOptions(policy="pyramid"), access=daemons.access)
    async with aclosing(stream) as events:
        async for event in events:
            if isinstance(event, JobDone):
                return Spent(event.wall_s, _processor_s(daemons) - before_s, event.frames_sha256)
    raise SystemExit("the daemons ended the job without a result")


def _processor_s(daemons: LocalTopology) -> float:
    times = [psutil.Process(node.pid).cpu_times() for node in daemons.nodes.values()]
    return sum(each.user + each.system for each in times)


@asynccontextmanager
async def _watched(folder: Path, engine: str, threads: int) -> AsyncIterator[LocalTopology]:
    flags = ["--metrics", "127.0.0.1:0", "--traces", f"file:{folder / 'spans.jsonl'}"]
    flags += ["--log-format", "json", "--log-level", "info"]
    topology = local_topology(engine=engine, threads=threads, device_options=flags, other_options=flags)
    async with topology as daemons:
        reading = asyncio.create_task(_scrape(daemons))
        try:
            yield daemons
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _scrape(daemons: LocalTopology) -> None:
    while True:
        for node in daemons.nodes.values():
            await asyncio.to_thread(_page, node.metrics)
        await asyncio.sleep(SCRAPE_S)


def _page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def _check_watched(daemons: LocalTopology, folder: Path) -> None:
    """Nothing is cheap that was not done."""
    page = _page(daemons.nodes["device"].metrics)
    spans = [json.loads(line) for line in (folder / "spans.jsonl").read_text().splitlines()]
    logged = (daemons.logs / "device.log").read_text()
    if "eapg_split_jobs_total" not in page or not spans or '"message": "job"' not in logged:
        raise SystemExit("the watched daemons were not watched")


def rows_of(spent: Mapping[str, Sequence[Spent]], clip: str) -> list[Row]:
    """Two figures for each side that is not off, and the frames."""
    rows = []
    for name in (WATCHED, SECURE):
        for what, of in (("processor time", _processor), ("wall time", _wall)):
            ours, theirs = [of(job) for job in spent[name]], [of(job) for job in spent[OFF]]
            ratios = [each / other for each, other in zip(ours, theirs, strict=True)]
            figure = f"{median(ratios):.3f}x ({min(ratios):.3f} to {max(ratios):.3f})"
            beside = {"on": _spread(ours), "off": _spread(theirs)}
            rows.append(
                Row(f"{clip}, {name}, {what}", figure, beside, f"<= {MOST:g}x", median(ratios) <= MOST)
            )
    digests = {job.frames_sha256 for jobs in spent.values() for job in jobs}
    return [*rows, Row(SAME_FRAMES, len(digests), {OFF: 1}, "1 digest", len(digests) == 1)]


def _processor(spent: Spent) -> float:
    return spent.processor_s


def _wall(spent: Spent) -> float:
    return spent.wall_s


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, writes it as JSON where asked, and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small clip, twice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--turns", type=int, default=9, help="how often each side runs (default: 9)")
    parser.add_argument("--engine", default="onnx", help="onnx, torch, or module:callable (default: onnx)")
    parser.add_argument("--threads", type=int, default=0, help="threads of each engine; 0 lets it choose")
    flags = parser.parse_args(arguments)
    small = Request(PROMPT, seconds=1.0, fps=4, width=64, height=64)
    request, clip = (small, "small clip") if flags.quick else (Request(PROMPT), "default clip")
    turns = 2 if flags.quick else max(1, flags.turns)
    rows = rows_of(asyncio.run(measured(request, turns, flags.engine, flags.threads)), clip)
    for row in rows:
        print(show(row), flush=True)
    write(rows, flags.json)
    judged = [row for row in rows if row.figure == SAME_FRAMES] if flags.quick else rows
    return 0 if all(row.holds for row in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
