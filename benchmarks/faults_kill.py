"""A node is killed in the middle of step 10 of 20: what that costs here, with Dask and with Ray.

The steps take a tenth of a second each and nothing else, so what is beyond that is the cost of the loss. The job goes
over three daemons without anything in between; the others run a chain of 20 tasks on three workers of this machine.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from figures import Row
from wire_peers import PeerError, PeerProcess, peer_process

from eapg_split.domain.request import Request
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import JobDone
from tests.faults.daemons import ENGINE
from tests.faults.engine import STEP_S
from tests.nodes import undivided_sha

STEPS: Final = 20
AT: Final = 10
REQUEST: Final = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(1, 1, 2, 14))
OPTIONS: Final = JobOptions(policy="pyramid", suffix="")
ALWAYS: Final = "ours, a state after every step"
DETECTION_BAR_S: Final = 0.05
NEXT_BAR_S: Final = 0.5
REDONE_BAR: Final = 1
_LIMIT_S: Final = 120.0
_LOOK_S: Final = 0.002
_ARRAY: Final = np.zeros((1, 16, 16, 48, 80), np.float32)  # as large a state as a default clip's


@dataclass(frozen=True)
class Loss:
    """One repetition, in seconds after the kill; `detected_s` None where nobody says when it was."""

    detected_s: float | None
    next_s: float
    redone: int
    same: bool


@dataclass
class Losses:
    """All of one contestant's; `failed` says why there are none (any more)."""

    each: list[Loss] = field(default_factory=list)
    failed: str = ""

    def text(self, seconds: Callable[[Loss], float | None]) -> str:
        """Median and 95th percentile in milliseconds."""
        known = [value * 1e3 for loss in self.each if (value := seconds(loss)) is not None]
        if not known:
            return self.failed or "not told"
        return f"{np.median(known):.0f} ms, p95 {np.quantile(known, 0.95):.0f} ms"

    def most_redone(self) -> str:
        return f"{max(loss.redone for loss in self.each)}" if self.each else self.failed

    def same(self) -> str:
        return f"{sum(loss.same for loss in self.each)} of {len(self.each)}" if self.each else self.failed


def measure(*, times: int, build: bool, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows with all three side by side."""
    found = {"ours": Losses(), ALWAYS: Losses(), "Dask LocalCluster": Losses(), "Ray": Losses()}
    wanted = undivided_sha(REQUEST)
    for number in range(times):
        for name, checkpoints in (("ours", Checkpoints.AUTO), (ALWAYS, Checkpoints.ALWAYS)):
            found[name].each.append(asyncio.run(_lose_ours(wanted, checkpoints)))
            say(f"kill {number + 1} of {times}, {name}: {found[name].each[-1]}")
    for name, peer in (("Dask LocalCluster", "dask"), ("Ray", "ray")):
        _lose_theirs(found[name], peer, times=times, build=build)
        say(f"{name}: {found[name]}")
    yield from _rows(found)


def _rows(found: dict[str, Losses]) -> Iterator[Row]:
    ours, others = found["ours"], {name: each for name, each in found.items() if name != "ours"}
    detected = [loss.detected_s for loss in ours.each if loss.detected_s is not None]
    next_s = [loss.next_s for loss in ours.each]
    scene = f"SIGKILL inside step {AT} of {STEPS}, {len(ours.each)} times"

    def beside(words: Callable[[Losses], str]) -> dict[str, float | str]:
        return {name: words(each) for name, each in others.items()}

    yield Row(
        f"{scene}: until it is known",
        ours.text(lambda loss: loss.detected_s),
        beside(lambda each: each.text(lambda loss: loss.detected_s)),
        f"p95 <= {DETECTION_BAR_S * 1e3:.0f} ms",
        bool(detected) and float(np.quantile(detected, 0.95)) <= DETECTION_BAR_S,
    )
    yield Row(
        f"{scene}: until the next step begins",
        ours.text(lambda loss: loss.next_s),
        beside(lambda each: each.text(lambda loss: loss.next_s)),
        f"<= {NEXT_BAR_S * 1e3:.0f} ms",
        max(next_s) <= NEXT_BAR_S,
    )
    yield Row(
        f"{scene}: most steps begun again",
        ours.most_redone(),
        beside(Losses.most_redone),
        f"<= {REDONE_BAR}",
        max(loss.redone for loss in ours.each) <= REDONE_BAR,
    )
    yield Row(
        f"{scene}: the same output",
        ours.same(),
        beside(Losses.same),
        "all",
        all(loss.same for loss in ours.each),
    )


async def _lose_ours(wanted: str, checkpoints: Checkpoints) -> Loss:
    """One job over fresh daemons."""
    async with AsyncExitStack() as stack:
        steps = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "steps"
        flags = ("--log-format", "json")
        with _written_to(steps):
            topology = await stack.enter_async_context(local_topology(engine=ENGINE, device_options=flags))
        killing = asyncio.create_task(asyncio.to_thread(_kill, steps))
        events = generate(topology.device_address, REQUEST, replace(OPTIONS, checkpoints=checkpoints))
        async with asyncio.timeout(_LIMIT_S), aclosing(events):
            done = [event async for event in events][-1]
        killed_s = await killing
        log = (topology.logs / "device.log").read_text(encoding="utf-8")
        begun = [float(line.split()[2]) for line in steps.read_text(encoding="utf-8").splitlines()]
    assert isinstance(done, JobDone)
    return Loss(
        detected_s=detected_s(log, killed_s),
        next_s=min(moment for moment in begun if moment > killed_s) - killed_s,
        redone=len(begun) - (STEPS - 1),  # decoding, the last step, leaves no line
        same=done.frames_sha256 == wanted,
    )


@contextlib.contextmanager
def _written_to(steps: Path) -> Iterator[None]:
    """The engines of daemons that start within the block leave a line there for each step that begins."""
    os.environ["EAPG_FAULTS_STEPS"] = str(steps)
    try:
        yield
    finally:
        del os.environ["EAPG_FAULTS_STEPS"]


def _kill(steps: Path) -> float:
    """Kills whoever computes the step, in the middle of it; when that was, on the monotonic clock."""
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until:
        lines = steps.read_text(encoding="utf-8").splitlines() if steps.exists() else []
        for number, pid, began in (line.split() for line in lines):
            if int(number) == AT:
                time.sleep(max(0.0, float(began) + STEP_S / 2 - time.monotonic()))
                killed_s = time.monotonic()
                os.kill(int(pid), signal.SIGKILL)
                return killed_s
        time.sleep(_LOOK_S)
    raise TimeoutError(f"step {AT} did not begin within {_LIMIT_S:g} s")


def detected_s(log: str, since_s: float) -> float | None:
    """Seconds from a moment of the monotonic clock until the device first logged that a segment was lost."""
    offset_s = time.time() - time.monotonic()
    for line in log.splitlines():
        record = json.loads(line)
        moment_s = datetime.fromisoformat(record["time"]).timestamp() - offset_s
        if record["logger"] == "eapg_split.runtime.segment_runs" and moment_s >= since_s:
            return moment_s - since_s
    return None


def _lose_theirs(losses: Losses, peer: str, *, times: int, build: bool) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs = (str(folder / f"{number}") for number in itertools.count())
        try:
            process: PeerProcess = stack.enter_context(
                peer_process(peer, f"{peer}_fault_peer.py", build=build)
            )
            process.ask("start", _ARRAY, limit_s=_LIMIT_S, log=next(logs))
            for _ in range(times):
                answer = process.ask(
                    "lose", _ARRAY, limit_s=_LIMIT_S, log=next(logs), steps=STEPS, step_s=STEP_S, at=AT
                ).fields
                losses.each.append(
                    Loss(answer.get("detected_s"), answer["next_s"], answer["begun"] - STEPS, answer["same"])
                )
        except (PeerError, OSError) as error:
            losses.failed = str(error)
