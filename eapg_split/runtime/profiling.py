"""Measures what each stage's steps cost here: seconds at two sizes of clip, memory, loading, watts.

Nothing is generated: each stage gets a made-up state of the right shape, as its steps take the same time for any. The
shortest of a few repetitions counts, for what others do on this machine meanwhile only makes them longer.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

import numpy as np

from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.workload import Stage, StageKind, Workload
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.memory import forget_peak, peak_resident_bytes, resident_bytes

_PROMPT: Final = "A cat running"
_STEPS: Final = (3, 3, 3, 3)  # a first one, one to repeat, and a last one that is left alone
SMALL: Final = Request(_PROMPT, seconds=0.5, width=256, height=144, steps=_STEPS)
LARGE: Final = (  # the default clip, or what a slow node can do of it in time
    Request(_PROMPT, steps=_STEPS),
    Request(_PROMPT, seconds=2.0, steps=_STEPS),
    Request(_PROMPT, seconds=1.0, steps=_STEPS),
    Request(_PROMPT, seconds=1.0, width=256, height=144, steps=_STEPS),
)
_MOST_REPEATS: Final = 5
_STAGE_SHARE: Final = 0.1  # of the budget that the repetitions of one stage may take
_LEAST_STEPS: Final = 3
_PASS: Final = 3.0  # a pass over the larger clip computes each step about so many times, warm-up included
_SAMPLE_S: Final = 0.2

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One stage at one size: what a step took, what its first one took besides, and how much memory grew."""

    flops: float
    seconds: float
    entry_flops: float = 0.0
    entry_s: float = 0.0
    memory_bytes: int = 0
    watts: float | None = None


@dataclass(frozen=True)
class Bench:
    """What a measurement works with; a test gives it another clock. `look` reads this node's sensors."""

    engine: Engine
    budget_s: float = 60.0
    look: Callable[[], Telemetry] | None = None
    clock: Callable[[], float] = time.perf_counter
    progress: Progress = field(default=lambda text, share: None)


def measure(bench: Bench) -> dict[str, StageCost]:
    """The costs of every stage by name; takes about `budget_s` seconds, loading not counted.

    `memory_bytes` is what this process grows by until the stage is through: engine, all weights, and the stage's own.
    """
    engine, began, base_bytes = bench.engine, bench.clock(), resident_bytes()
    small = engine.unroll(SMALL)
    loads = _loads(bench, small)
    first = {}
    for stage in small.stages:
        bench.progress(f"{stage.name}, small clip", 0.0)
        first[stage.name] = _sample(bench, small, stage, 3, base_bytes)
    left_s = bench.budget_s - (bench.clock() - began)
    large, repeats = _larger(engine, first, left_s)
    work = [stage.flops_per_step + stage.entry_flops for stage in large.stages]
    costs = {}
    for index, stage in enumerate(large.stages):
        bench.progress(f"{stage.name}, {large.request.seconds:g} s clip", sum(work[:index]) / sum(work))
        sample = _sample(bench, large, stage, repeats, base_bytes)
        costs[stage.name] = fitted(first[stage.name], sample, load_s=sum(loads[part] for part in stage.parts))
    bench.progress("done", 1.0)
    return costs


def fitted(small: Sample, large: Sample, *, load_s: float = 0.0) -> StageCost:
    """The line through two sizes, without a negative overhead; through the larger one where they are alike."""
    rate = large.flops / large.seconds
    overhead_s = 0.0
    if large.flops > small.flops and large.seconds > small.seconds:
        slope = (large.flops - small.flops) / (large.seconds - small.seconds)
        overhead_s = large.seconds - large.flops / slope
        if overhead_s > 0:
            rate = slope
    entry = large.entry_flops / large.entry_s if large.entry_flops and large.entry_s > 0 else float("inf")
    return StageCost(
        max(0.0, overhead_s), rate, load_s, large.memory_bytes, large.watts, entry_flops_per_s=entry
    )


def _larger(engine: Engine, small: Mapping[str, Sample], left_s: float) -> tuple[Workload, int]:
    """The largest clip that can be measured in the time that is left, and how often."""
    workloads = [engine.unroll(request) for request in LARGE]
    for workload in workloads:
        pass_s = sum(_expected_s(small[stage.name], stage) for stage in workload.stages)
        if _PASS * pass_s <= left_s:
            return workload, max(1, min(_MOST_REPEATS, int(left_s / pass_s) - 2))
    return workloads[-1], 1


def _expected_s(sample: Sample, stage: Stage) -> float:
    entry = stage.entry_flops / sample.entry_flops * sample.entry_s if sample.entry_flops else 0.0
    return sample.seconds * stage.flops_per_step / sample.flops + entry


def _loads(bench: Bench, workload: Workload) -> dict[str, float]:
    """Seconds that each part of the weights takes to load, from disk or from what the system kept of it."""
    bench.progress("loading weights", 0.0)
    bench.engine.prepare(())
    seconds = {}
    for part in workload.parts(0, workload.steps):
        began = bench.clock()
        bench.engine.prepare((part,))
        seconds[part] = bench.clock() - began
    return seconds


def _sample(bench: Bench, workload: Workload, stage: Stage, repeats: int, base_bytes: int) -> Sample:
    forget_peak()
    with _watched(bench) as looks:
        step_s, entry_s = _timed(bench, workload, stage, repeats)
    clocks = [look.clock_ratio.value for look in looks if look.clock_ratio.known]
    watts = [look.power_w.value for look in looks if look.power_w.known]
    full = sum(clocks) / len(clocks) if clocks else 1.0  # the costs are those at full clock
    return Sample(
        stage.flops_per_step,
        step_s * full,
        stage.entry_flops,
        entry_s * full,
        max(0, peak_resident_bytes() - base_bytes),
        sum(watts) / len(watts) if watts else None,
    )


def _timed(bench: Bench, workload: Workload, stage: Stage, repeats: int) -> tuple[float, float]:
    """What one step takes, and what the first one on a node takes besides: the shortest of a few, both times."""
    engine, step = bench.engine, stage.start_step
    state = made_up(workload.spec_after(step - 1))

    def seconds(call: Callable[[], object]) -> float:
        began = bench.clock()
        call()
        return bench.clock() - began

    def run(which: int, before: Latent) -> float:
        return seconds(lambda: engine.run_step(workload, which, before))

    if stage.kind is StageKind.DECODE:
        return seconds(lambda: sum(1 for _ in engine.decode(workload, state))), 0.0
    began = bench.clock()
    after = engine.run_step(workload, step, state)  # the first time is slower
    repeats = max(1, min(repeats, int(_STAGE_SHARE * bench.budget_s / max(bench.clock() - began, 1e-9))))
    if stage.stop_step - step < _LEAST_STEPS:
        return min(run(step, state) for _ in range(repeats)), 0.0
    step_s = min(run(step + 1, after) for _ in range(repeats))
    if not stage.entry_flops:
        return step_s, 0.0
    # what the engine kept for the steps of another source is of no use to these
    fresh = [made_up(state.spec) for _ in range(min(2, repeats))]
    return step_s, max(0.0, min(run(step, each) for each in fresh) - step_s)


def made_up(spec: LatentSpec) -> Latent:
    """A state of that shape: small numbers, the same every time, in new arrays."""
    random = np.random.default_rng(0)
    return Latent(
        {each.name: 0.3 * random.standard_normal(each.shape, dtype=np.float32) for each in spec.tensors}
    )


@contextmanager
def _watched(bench: Bench) -> Iterator[list[Telemetry]]:
    """Looks at the sensors while the block runs, in a thread, and once at its end."""
    looks: list[Telemetry] = []
    look = bench.look
    if look is None:
        yield looks
        return
    over = Event()

    def watch() -> None:
        while not over.wait(_SAMPLE_S):
            looks.append(look())

    thread = Thread(target=watch, name="meter", daemon=True)
    thread.start()
    try:
        yield looks
    finally:
        looks.append(look())
        over.set()
        thread.join(timeout=1.0)
