"""Every fault at every phase on every node, several times: do the jobs end right, and is nothing left behind?"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from statistics import median
from typing import Final

from figures import Row

from tests.faults.kinds import REMOTES, Cell, Fault, Phase, cells
from tests.faults.testbed import open_testbed
from tests.faults.trial import Trial, run_trial

MOST_REDONE: Final = 1
FIGURE: Final = "{fault}: jobs that end right"


async def measure(
    chosen: Sequence[Cell] = cells(), *, repeats: int, lanes: int, say: Callable[[str], None]
) -> AsyncIterator[Row]:
    """One row for each fault with its phases beside, and the sums. `lanes` topologies work at the same time."""
    waiting: asyncio.Queue[Cell] = asyncio.Queue()
    for _ in range(repeats):
        for cell in chosen:
            waiting.put_nowait(cell)
    trials: list[Trial] = []

    async def lane(seed: int) -> None:
        async with open_testbed(seed=seed) as testbed:
            while not waiting.empty():
                trial = await run_trial(testbed, waiting.get_nowait())
                trials.append(trial)
                say(
                    f"{len(trials)} of {repeats * len(chosen)}: {'' if trial.ends_right else 'NOT RIGHT: '}{trial}"
                )

    async with asyncio.TaskGroup() as group:
        for number in range(lanes):
            group.create_task(lane(number))
    for row in _rows(trials):
        yield row


def _rows(trials: Sequence[Trial]) -> list[Row]:
    by_fault: dict[Fault, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_fault[trial.cell.fault].append(trial)
    rows = [
        Row(
            FIGURE.format(fault=fault),
            _share(some),
            {phase: _cell([each for each in some if each.cell.phase is phase]) for phase in _phases(some)},
            "100 %",
            all(trial.ends_right for trial in some),
        )
        for fault, some in by_fault.items()
    ]
    left = [trial for trial in trials if trial.left]
    remote = [trial.redone for trial in trials if trial.cell.target in REMOTES]
    most = max(remote, default=0)
    rows.append(
        Row("all faults: jobs that end right", _share(trials), {}, "100 %", all(t.ends_right for t in trials))
    )
    rows.append(Row("all faults: jobs that leave something behind", float(len(left)), {}, "0", not left))
    rows.append(
        Row(
            "faults of remote nodes: most steps done twice",
            float(most),
            {},
            f"<= {MOST_REDONE}",
            most <= MOST_REDONE,
        )
    )
    return rows


def _phases(trials: Sequence[Trial]) -> list[Phase]:
    there = {trial.cell.phase for trial in trials}
    return [phase for phase in Phase if phase in there]


def _share(trials: Sequence[Trial]) -> str:
    return f"{sum(trial.ends_right for trial in trials)} of {len(trials)}"


def _cell(trials: Sequence[Trial]) -> str:
    """How many ended right, and the seconds of the job in the middle of them."""
    return f"{_share(trials)} in {median(trial.seconds for trial in trials):.1f} s"
