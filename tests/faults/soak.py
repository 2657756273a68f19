"""Jobs all the time while one remote node after the other is struck, for as long as one likes."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import psutil

from eapg_split.errors import EapgError
from eapg_split.runtime.events import JobDone
from tests.faults.kinds import REMOTES, Fault, Phase, Target
from tests.faults.testbed import REQUEST, Testbed
from tests.faults.trial import relent, strike
from tests.nodes import undivided_sha

JOBS: Final = 2  # at a time
_PAUSE_S: Final = (1.0, 4.0)  # between faults
_LASTS_S: Final = (0.2, 6.0)
_SAMPLE_S: Final = 2.0


@dataclass(frozen=True)
class Sample:
    """A daemon's memory and open files at a moment since the soak began."""

    at_s: float
    rss_bytes: int
    files: int


@dataclass
class Soak:
    """What came of it. `lost` are jobs that ended with an error, `wrong` those with other frames."""

    seconds: float = 0.0
    whole: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    left: tuple[str, ...] = ()
    samples: Mapping[Target, list[Sample]] = field(default_factory=lambda: {target: [] for target in Target})

    @property
    def jobs(self) -> int:
        """All that were begun."""
        return self.whole + self.wrong + len(self.lost)

    def grown(self, target: Target, what: Callable[[Sample], int]) -> float:
        """From the median of the first third to that of the last, 0 where there is not enough to say."""
        seen = [what(sample) for sample in self.samples[target]]
        third = len(seen) // 3
        return median(seen[-third:]) - median(seen[:third]) if third else 0.0


async def run_soak(testbed: Testbed, seconds: float, *, seed: int, say: Callable[[str], None]) -> Soak:
    """At most one node is struck at a time; all is whole at the end. `say` is told of each fault and of each loss."""
    soak, rng = Soak(), random.Random(seed)
    before = await testbed.footprints()
    began = time.monotonic()
    until = began + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(JOBS):
            group.create_task(_work(testbed, soak, until, say))
        group.create_task(_strike_often(testbed, soak, until, rng, say))
        sampling = group.create_task(_sample(testbed, soak, began))
        group.create_task(_stop_after(sampling, until))
    soak.seconds = time.monotonic() - began
    await testbed.heal()
    soak.left = await testbed.left_behind(before)
    return soak


async def _work(testbed: Testbed, soak: Soak, until: float, say: Callable[[str], None]) -> None:
    wanted = undivided_sha(REQUEST)
    while time.monotonic() < until:
        try:
            done = (await testbed.run_job())[-1]
        except (EapgError, TimeoutError) as error:
            soak.lost.append(f"{type(error).__name__}: {error}")
            say(f"LOST: {soak.lost[-1]}")
            continue
        assert isinstance(done, JobDone)
        if done.frames_sha256 == wanted:
            soak.whole += 1
        else:
            soak.wrong += 1
            say("WRONG frames")


async def _strike_often(
    testbed: Testbed, soak: Soak, until: float, rng: random.Random, say: Callable[[str], None]
) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(*_PAUSE_S))
        fault, target = rng.choice(list(Fault)), rng.choice(REMOTES)
        soak.faults[fault] += 1
        say(f"{target} {fault}")
        if fault is Fault.WRONG_SIZES:
            await testbed.restore(target, rng.choice(list(Phase)))
        else:
            await strike(testbed, fault, target)
        await asyncio.sleep(rng.uniform(*_LASTS_S))
        relent(testbed, target)
        await testbed.restore(target)


async def _sample(testbed: Testbed, soak: Soak, began: float) -> None:
    while True:
        for target, daemon in testbed.daemons.items():
            try:
                process = psutil.Process(daemon.pid)
                sample = Sample(time.monotonic() - began, process.memory_info().rss, process.num_fds())
            except psutil.Error:
                continue  # it was just killed
            if sample.rss_bytes:  # 0 where it is dead and nobody has taken note yet
                soak.samples[target].append(sample)
        await asyncio.sleep(_SAMPLE_S)


async def _stop_after(sampling: "asyncio.Task[None]", until: float) -> None:
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    sampling.cancel()
