"""What do states that come home on the way cost a job? python benchmarks/checkpoints.py [--quick] [--json FILE]

The default clip over three warm daemons of one machine, with checkpoints (`auto`) and without (`never`), turn by turn
so that a busy machine slows both: wall time, processor time of all daemons, and how many states and bytes came home.
Every figure is the median of several runs with the smallest and the largest beside it.

Exit code 0 when every bar holds, 1 otherwise. `--quick` takes a small clip once and judges the frames only.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from figures import Row, show, write

from eapg_split.domain.request import Request
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import LocalTopology, local_topology
from eapg_split.runtime.events import JobDone

BAR: Final = 1.02
QUICK: Final = Request("A cat running", seconds=1, fps=4, width=64, height=64)


async def one_job(
    daemons: LocalTopology, request: Request, policy: str, how: Checkpoints
) -> tuple[JobDone, float]:
    """What came of it, and the processor seconds of all daemons."""
    before = _processor_s(daemons)
    options = JobOptions(policy=policy, checkpoints=how)
    access = daemons.access
    async with aclosing(generate(daemons.device_address, request, options, access=access)) as events:
        async for event in events:
            if isinstance(event, JobDone):
                return event, _processor_s(daemons) - before
    raise SystemExit("the daemons ended the job without a result")


async def measure(request: Request, flags: argparse.Namespace) -> list[Row]:
    """The rows of the table."""
    walls: list[tuple[float, float]] = []
    processors: list[tuple[float, float]] = []
    digests, done = set(), None
    async with local_topology(engine=flags.engine, threads=flags.threads) as daemons:
        for turn in range(flags.runs + 1):
            order = (Checkpoints.AUTO, Checkpoints.NEVER)
            results = {
                how: await one_job(daemons, request, flags.policy, how) for how in order[:: (-1) ** turn]
            }
            (done, spent), (plain, plain_spent) = (results[how] for how in order)
            digests |= {done.frames_sha256, plain.frames_sha256}
            if turn:  # the first turn warms them up
                walls.append((done.wall_s, plain.wall_s))
                processors.append((spent, plain_spent))
    assert done is not None
    home = f"{done.checkpoints} states, {done.checkpoint_bytes / 1e6:.2f} MB"
    hops = f"{sum(hop.wire_bytes for hop in done.hops) / 1e6:.2f} MB"
    return [
        _ratio("wall time with checkpoints", walls),
        _ratio("processor time with checkpoints", processors),
        Row("what came home on the way", home, {"hand-offs": hops}, "-", True),
        Row("the same frames, with and without", len(digests), {}, "1 digest", len(digests) == 1),
    ]


def _ratio(figure: str, pairs: Sequence[tuple[float, float]]) -> Row:
    ratios = [ours / plain for ours, plain in pairs]
    ours = f"{median(ratios):.3f}x ({min(ratios):.3f} to {max(ratios):.3f})"
    beside = {
        "with": f"{median(a for a, _ in pairs):.2f} s",
        "without": f"{median(b for _, b in pairs):.2f} s",
    }
    return Row(figure, ours, beside, f"<= {BAR:g}x", median(ratios) <= BAR)


def _processor_s(daemons: LocalTopology) -> float:
    times = [psutil.Process(node.pid).cpu_times() for node in daemons.nodes.values()]
    return sum(each.user + each.system for each in times)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, writes it as JSON where asked, and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small clip, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--runs", type=int, default=5, help="how often each figure is measured (default: 5)")
    parser.add_argument(
        "--policy", default="pyramid", help="who plans (default: pyramid, which uses all nodes)"
    )
    parser.add_argument("--engine", default="onnx", help="onnx, torch, or module:callable (default: onnx)")
    parser.add_argument("--threads", type=int, default=0, help="threads of each engine; 0 lets it choose")
    flags = parser.parse_args(arguments)
    flags.runs = 1 if flags.quick else max(1, flags.runs)
    rows = asyncio.run(measure(QUICK if flags.quick else Request("A cat running"), flags))
    for row in rows:
        print(show(row))
    write(rows, flags.json)
    judged = rows[-1:] if flags.quick else rows
    return 0 if all(row.holds for row in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
