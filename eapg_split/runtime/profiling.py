"""Measures what each stage's steps cost here: seconds at two sizes of clip, memory, loading, watts.

Nothing is generated: each stage gets a made-up state of the right shape, as its steps take the same time for any. The
shortest of a few repetitions counts, for what others do on this machine meanwhile only makes them longer.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
_LEAST_ROUNDS: Final = 3  # if there is time
_MOST_ROUNDS: Final = 8
_BETTER: Final = (
    0.97  # a round in which no stage was shorter than that of its shortest before is the last one
)
_SMALL_SHARE: Final = 0.25  # of the budget, for the smaller clip
_SHORT_SHARE: Final = 0.005  # of the budget; a step that is shorter is taken three times a round
_SAMPLE_S: Final = 0.2

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """One stage at one size: what its first step on a node took, what a further one did, and how memory grew.

    `first_s` is NaN for a stage that has nothing to enter.
    """

    flops: float
    seconds: float
    entry_flops: float = 0.0
    first_s: float = math.nan
    memory_bytes: int = 0
    watts: float | None = None

    @property
    def entry_s(self) -> float:
        """What the first step took besides; 0 where that cannot be told."""
        return max(0.0, self.first_s - self.seconds) if self.first_s > 0 else 0.0

    def better(self, other: "Sample") -> "Sample":
        """The shorter of the two, time by time."""
        return replace(
            self,
            seconds=min(self.seconds, other.seconds),
            first_s=min(self.first_s, other.first_s),
            memory_bytes=max(self.memory_bytes, other.memory_bytes),
        )


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
    engine, base_bytes = bench.engine, resident_bytes()
    small = engine.unroll(SMALL)
    loads = _loads(bench, small)
    end_s = bench.clock() + bench.budget_s
    first = _rounds(bench, small, base_bytes, end_s, share=_SMALL_SHARE)
    large = _larger(engine, first, end_s - bench.clock())
    second = _rounds(bench, large, base_bytes, end_s)
    bench.progress("done", 1.0)
    return {
        stage.name: fitted(
            first[stage.name], second[stage.name], load_s=sum(loads[part] for part in stage.parts)
        )
        for stage in large.stages
    }


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


def _rounds(
    bench: Bench, workload: Workload, base_bytes: int, end_s: float, *, share: float = 1.0
) -> dict[str, Sample]:
    """The shortest times of a few rounds over all stages, so that a disturbance spoils one round and not one stage.

    Ends when a round brings nothing new, or with `share` of the time until `end_s`; there is one round in any case.
    """
    request, best = workload.request, dict[str, Sample]()
    until_s = bench.clock() + share * (end_s - bench.clock())
    for index in range(_MOST_ROUNDS):
        improved, began = index < _LEAST_ROUNDS, bench.clock()
        for stage in workload.stages:
            gone = 1 - (end_s - bench.clock()) / bench.budget_s
            clip = f"{request.seconds:g} s of {request.width}x{request.height}"
            bench.progress(f"{stage.name}, {clip}", min(1.0, max(0.0, gone)))
            found = _sample(bench, workload, stage, base_bytes)
            before = best.get(stage.name, found)
            best[stage.name] = before.better(found)
            improved |= best[stage.name].seconds < _BETTER * before.seconds
        now = bench.clock()
        if not improved or now + (now - began) > until_s:
            break
    return best


def _larger(engine: Engine, small: Mapping[str, Sample], left_s: float) -> Workload:
    """The largest clip of which two rounds can be measured in the time that is left."""
    workloads = [engine.unroll(request) for request in LARGE]
    for workload in workloads:
        if 2 * sum(_expected_s(small[stage.name], stage) for stage in workload.stages) <= left_s:
            return workload
    return workloads[-1]


def _expected_s(sample: Sample, stage: Stage) -> float:
    """One stage of a round, on a larger clip."""
    entry = stage.entry_flops / sample.entry_flops * sample.entry_s if sample.entry_flops else 0.0
    return 2 * sample.seconds * stage.flops_per_step / sample.flops + entry


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


def _sample(bench: Bench, workload: Workload, stage: Stage, base_bytes: int) -> Sample:
    forget_peak()
    with _watched(bench) as looks:
        step_s, first_s = _timed(bench, workload, stage)
    clocks = [look.clock_ratio.value for look in looks if look.clock_ratio.known]
    watts = [look.power_w.value for look in looks if look.power_w.known]
    full = sum(clocks) / len(clocks) if clocks else 1.0  # the costs are those at full clock
    return Sample(
        stage.flops_per_step,
        step_s * full,
        stage.entry_flops,
        first_s * full,
        max(0, peak_resident_bytes() - base_bytes),
        sum(watts) / len(watts) if watts else None,
    )


def _timed(bench: Bench, workload: Workload, stage: Stage) -> tuple[float, float]:
    """Seconds of a step, and of the first one of its stage where that is another matter (else NaN)."""
    engine, step = bench.engine, stage.start_step
    state = made_up(workload.spec_after(step - 1))  # new arrays: what was kept for others is of no use

    def seconds(call: Callable[[], object]) -> float:
        began = bench.clock()
        call()
        return bench.clock() - began

    if stage.kind is StageKind.DECODE:
        return seconds(lambda: sum(1 for _ in engine.decode(workload, state))), math.nan
    began = bench.clock()
    after = engine.run_step(workload, step, state)
    first_s = bench.clock() - began
    repeats = 3 if first_s < _SHORT_SHARE * bench.budget_s else 1
    if stage.stop_step - step < min(_STEPS):
        again = [seconds(lambda: engine.run_step(workload, step, state)) for _ in range(repeats - 1)]
        return min([first_s, *again]), math.nan
    step_s = min(seconds(lambda: engine.run_step(workload, step + 1, after)) for _ in range(repeats))
    return step_s, first_s if stage.entry_flops else math.nan


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
