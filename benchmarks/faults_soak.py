"""Jobs for half an hour while nodes and links fail: nothing lost, nothing wrong, and memory as it was."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from figures import Row

from tests.faults.kinds import Target
from tests.faults.soak import Soak, run_soak
from tests.faults.testbed import open_testbed

GROWTH_BAR_MB: Final = 16.0
_LONG_S: Final = 300.0  # before that daemons still get warm


async def measure(*, minutes: float, seed: int, say: Callable[[str], None]) -> AsyncIterator[Row]:
    """The rows of one soak."""
    async with open_testbed(seed=seed, hands_on=True) as testbed:
        soak = await run_soak(testbed, 60 * minutes, seed=seed, say=say)
    struck = ", ".join(f"{fault} {count}" for fault, count in sorted(soak.faults.items()))
    name = f"soak of {round(soak.seconds / 60, 1):g} minutes, {soak.jobs} jobs, {soak.faults.total()} faults"
    say(f"{name}: {struck}")
    yield Row(
        f"{name}: jobs lost",
        float(len(soak.lost)),
        {str(fault): count for fault, count in soak.faults.items()},
        "0",
        not soak.lost,
    )
    yield Row(f"{name}: jobs with other frames", float(soak.wrong), {}, "0", not soak.wrong)
    yield Row(f"{name}: left behind", ", ".join(soak.left) or "nothing", {}, "nothing", not soak.left)
    for target in Target:
        yield _memory(soak, name, target)


def _memory(soak: Soak, name: str, target: Target) -> Row:
    is_long = soak.seconds >= _LONG_S
    grown = soak.grown(target, lambda sample: sample.rss_bytes) / 1e6
    seen = [sample.rss_bytes / 1e6 for sample in soak.samples[target]]
    return Row(
        f"{name}: MB that the {target} grew, last third over first",
        grown,
        {"most, MB": max(seen), "open files grew by": soak.grown(target, lambda sample: sample.files)},
        f"<= {GROWTH_BAR_MB:g}" if is_long else "",
        grown <= GROWTH_BAR_MB or not is_long,
    )
