"""`eapg-split profile`: measures what each stage's steps cost this machine, and keeps it for the daemons."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from eapg_split.cli.text import duration, size, table
from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.engines import open_engine
from eapg_split.errors import InvalidRequest
from eapg_split.runtime.engine import Engine, engine_opener
from eapg_split.runtime.profile_store import ANY_NODE, Machine, StoredProfile, default_path, save, to_json
from eapg_split.runtime.profiling import Bench, measure
from eapg_split.runtime.telemetry.choice import DEFAULT, telemetry_opener

_BUDGET_S: Final = 60.0
_QUICK_S: Final = 12.0
_BUSY: Final = 0.5  # of the cores
_NODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class ProfileFlags:
    """What the person asked for; `node` None measures for every node of this machine."""

    engine: str = "onnx"
    threads: int = 0
    weights: Path | None = None
    node: str | None = None
    quick: bool = False
    output: Path | None = None
    telemetry: str = DEFAULT


def run_profile(flags: ProfileFlags) -> "Measured":
    """Measures, with progress on stderr, and writes the file.

    Raises InvalidRequest for flags that make no sense, Unsupported, CorruptWeights or OutputFailure.
    """
    if flags.node is not None and not _NODE.fullmatch(flags.node):
        raise InvalidRequest("--node is a name of 1 to 64 letters, digits, '.', '-' and '_'.")
    opener = engine_opener(flags.engine, open_engine)
    engine = opener(flags.engine, threads=flags.threads, weights=flags.weights)
    sensors = telemetry_opener(flags.telemetry)(lambda: 0.0)
    costs = _measured(engine, _QUICK_S if flags.quick else _BUDGET_S, sensors.read)
    node = NodeId(flags.node) if flags.node else ANY_NODE
    profile = Profile(node, engine.kind, engine.fingerprint, MappingProxyType(costs))
    stored = StoredProfile(profile, Machine.here(flags.threads))
    path = flags.output or default_path(node, engine.kind, engine.fingerprint)
    save(stored, path)
    return Measured(stored, path, engine.unroll(Request("A cat running")), _busy(stored.machine))


@dataclass(frozen=True)
class Measured:
    """What was measured, where it lies, and the default clip, for which it is shown."""

    stored: StoredProfile
    path: Path
    clip: Workload
    busy: tuple[str, ...] = ()  # a sentence where others took much of the machine meanwhile

    def to_json(self) -> str:
        """The content of the file, and where it is."""
        return json.dumps({**to_json(self.stored), "path": str(self.path)}, indent=1)

    def text(self) -> str:
        """A table for the default clip, in which a stage's first step is told apart from the others."""
        stages, machine = self.stored.profile.stages, self.stored.machine
        request = self.clip.request
        header = ("stage", "steps", "a step", "entering", "GFLOP/s", "memory", "loading", "power")
        rows = []
        total_s = 0.0
        for stage in self.clip.stages:
            cost, count = stages[stage.name], stage.stop_step - stage.start_step
            step_s, entry_s = cost.seconds(stage.flops_per_step), cost.entry_seconds(stage.entry_flops)
            total_s += count * step_s + entry_s
            rows.append(
                (
                    stage.name,
                    str(count),
                    duration(step_s),
                    duration(entry_s) if entry_s else "-",
                    f"{cost.flops_per_s / 1e9:.1f}",
                    size(cost.memory_bytes),
                    duration(cost.load_s),
                    _power(cost),
                )
            )
        clip = f"{request.seconds:g} s of {request.width}x{request.height} at {request.fps} fps"
        whose = "every node" if self.stored.profile.node == ANY_NODE else f"node {self.stored.profile.node}"
        lines = (
            f"{machine.cpu}, {machine.cores} cores, {machine.threads} threads; {self.stored.profile.engine}",
            "",
            table(header, rows),
            "",
            f"{clip} would take {duration(total_s)} on this machine alone.",
            f"Kept for {whose} of this machine in {self.path}",
            *self.busy,
        )
        return "\n".join(lines)


def _busy(machine: Machine) -> tuple[str, ...]:
    """Whether more wants to run than there are cores, beside the engine's own threads."""
    if not hasattr(os, "getloadavg"):
        return ()
    load = os.getloadavg()[0]
    if load < machine.threads + _BUSY * machine.cores:
        return ()
    return (
        f"The machine was busy (load {load:.1f} on {machine.cores} cores): measure again once it is quiet.",
    )


def _power(cost: StageCost) -> str:
    return "-" if cost.joules_per_s is None else f"{cost.joules_per_s:.1f} W"


def _measured(engine: Engine, budget_s: float, look: Callable[[], Telemetry]) -> dict[str, StageCost]:
    columns = TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("starting", total=1.0)

        def progress(text: str, share: float) -> None:
            display.update(task, description=text, completed=share)

        return measure(Bench(engine, budget_s, look, progress=progress))
