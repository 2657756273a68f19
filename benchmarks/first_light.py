"""How fast and how small is one job? python benchmarks/first_light.py [--quick] [--json FILE]

Measures the default clip as a person would make it, the price of splitting it over three daemons against the same
steps in one process (same engine, same threads, warm, in turns; in wall time, which a busy machine blurs, and in
processor time, which it does not), and what waiting costs. Every figure is the median
of several runs with the smallest and the largest beside it.

Exit code 0 when every bar holds, 1 otherwise. `--quick` takes a small short clip once: it shows that all works, and
judges the frames only, since fixed costs are most of so small a job.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from figures import Row, show, write

from eapg_split.domain.request import Request
from eapg_split.rpc.job_client import JobOptions, describe, generate
from eapg_split.rpc.local_topology import LocalTopology, local_topology
from eapg_split.runtime.events import JobDone
from eapg_split.runtime.settings import PeerAddress

ROOT: Final = Path(__file__).resolve().parents[1]
PROMPT: Final = "A cat running"
SAME_FRAMES: Final = "the same frames, split and undivided"


@dataclass(frozen=True)
class Setup:
    """What is measured, how often, and with what."""

    engine: str
    threads: int
    runs: int
    clip: tuple[tuple[str, float], ...]  # fields of Request that differ from the default

    @property
    def fields(self) -> dict[str, object]:
        return {"prompt": PROMPT} | {
            name: value if name == "seconds" else int(value) for name, value in self.clip
        }

    @property
    def label(self) -> str:
        return "small clip" if self.clip else "default clip"


@dataclass(frozen=True)
class Undivided:
    """An answer of `undivided.py`."""

    seconds: float
    cpu_seconds: float
    frames_sha256: str


class _Pairs:
    """The same job measured split and undivided, turn by turn."""

    def __init__(self) -> None:
        self._split: list[float] = []
        self._undivided: list[float] = []

    def add(self, split: float, undivided: float) -> None:
        self._split.append(split)
        self._undivided.append(undivided)

    def row(self, figure: str) -> Row:
        ratios = [ours / theirs for ours, theirs in zip(self._split, self._undivided, strict=True)]
        ours = f"{median(ratios):.3f}x ({min(ratios):.3f} to {max(ratios):.3f})"
        beside = {"undivided": _spread(self._undivided, "s"), "split": _spread(self._split, "s")}
        return Row(figure, ours, beside, "<= 1.05x", median(ratios) <= 1.05)


def wall_and_memory(setup: Setup) -> list[Row]:
    """The command from start to end, daemons and all."""
    flags = [word for name, value in setup.clip for word in (f"--{name}", f"{value:g}")]
    walls, peaks = [], []
    for _ in range(setup.runs):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "eapg_split.cli",
                "generate",
                PROMPT,
                "--json",
                "--engine",
                setup.engine,
            ]
            command += ["--threads", str(setup.threads), "-o", f"{folder}/cat.mp4", *flags]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"generate ended with {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
        record = json.loads(done.stdout)
        walls.append(record["wall_s"])
        peaks.append(record["peak_rss_mb"]["device"])
    return [
        _row(f"{setup.label}, whole command", walls, "s", 60.0),
        _row(f"{setup.label}, peak memory of the device's process", peaks, "MB", 600.0),
    ]


def split_overhead(setup: Setup) -> list[Row]:
    """Three warm daemons and one warm process take turns, so that a busy machine slows both."""
    walls, processors, digests = _Pairs(), _Pairs(), set()
    with asyncio.Runner() as runner, _undivided(setup) as run_undivided:
        topology = local_topology(engine=setup.engine, threads=setup.threads)
        daemons = runner.run(topology.__aenter__())
        try:
            for turn in range(setup.runs + 1):
                before = _processor_seconds(daemons)
                done = runner.run(_split_job(daemons, setup))
                spent = _processor_seconds(daemons) - before
                alone = run_undivided()
                digests |= {done.frames_sha256, alone.frames_sha256}
                if turn > 0:  # the first turn warms both up
                    walls.add(done.wall_s, alone.seconds)
                    processors.add(spent, alone.cpu_seconds)
        finally:
            runner.run(topology.__aexit__(None, None, None))
    return [
        walls.row(f"{setup.label}, split over three daemons, wall time"),
        processors.row(f"{setup.label}, split over three daemons, processor time"),
        Row(SAME_FRAMES, len(digests), {"undivided": 1}, "1 digest", len(digests) == 1),
    ]


def waiting(setup: Setup) -> list[Row]:
    """How long until the daemons are ready, and what the device's takes while it idles."""
    ready, idle = [], []

    async def once() -> None:
        began = time.perf_counter()
        async with local_topology(engine=setup.engine, threads=setup.threads) as daemons:
            ready.append(time.perf_counter() - began)
            device = await describe(PeerAddress("device", daemons.device_address))
            idle.append(device.rss_bytes / 1e6)

    for _ in range(max(2, setup.runs)):
        asyncio.run(once())
    return [
        _row("local topology ready", ready, "s", 1.5),
        _row("idle device daemon, memory", idle, "MB", 100.0),
    ]


def _processor_seconds(daemons: LocalTopology) -> float:
    """What all daemons together have spent, in user and system mode: other programs do not disturb that."""
    times = [psutil.Process(node.pid).cpu_times() for node in daemons.nodes.values()]
    return sum(each.user + each.system for each in times)


async def _split_job(daemons: LocalTopology, setup: Setup) -> JobDone:
    request = Request(**setup.fields)  # type: ignore[arg-type]
    async for event in generate(daemons.device_address, request, JobOptions(policy="pyramid")):
        if isinstance(event, JobDone):
            return event
    raise SystemExit("the daemons ended the job without a result")


@contextmanager
def _undivided(setup: Setup) -> Iterator[Callable[[], Undivided]]:
    command = [sys.executable, str(Path(__file__).with_name("undivided.py")), "--engine", setup.engine]
    command += ["--threads", str(setup.threads), "--request", json.dumps(setup.fields)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # an engine of one's own may lie there
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as the daemons: kernels may share the processor out by session
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ask, answers = process.stdin, process.stdout

        def run() -> Undivided:
            ask.write("go\n")
            ask.flush()
            return Undivided(**json.loads(answers.readline()))

        try:
            yield run
        finally:
            ask.close()
            process.wait(30)


def _row(figure: str, values: Sequence[float], unit: str, bar: float) -> Row:
    return Row(
        figure, _spread(values, unit), {"runs": len(values)}, f"<= {bar:g} {unit}", median(values) <= bar
    )


def _spread(values: Sequence[float], unit: str) -> str:
    return f"{median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, writes it as JSON where asked, and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small clip, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is measured (default: 3)")
    parser.add_argument("--engine", default="onnx", help="onnx, torch, or module:callable (default: onnx)")
    parser.add_argument("--threads", type=int, default=0, help="threads of each engine; 0 lets it choose")
    flags = parser.parse_args(arguments)
    small = (("seconds", 1.0), ("fps", 4.0), ("width", 64.0), ("height", 64.0)) if flags.quick else ()
    setup = Setup(flags.engine, flags.threads, 1 if flags.quick else max(1, flags.runs), small)
    rows = []
    for measure in (waiting, wall_and_memory, split_overhead):
        for row in measure(setup):
            rows.append(row)
            print(show(row), flush=True)
    write(rows, flags.json)
    judged = [row for row in rows if row.figure == SAME_FRAMES] if flags.quick else rows
    return 0 if all(row.holds for row in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
