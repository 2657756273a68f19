"""Feeds what reads from the wire and from disk with inputs that nobody made in earnest.

    python tests/fuzz/fuzz.py --target run-logs --runs 1000000
    python tests/fuzz/fuzz.py --target configs --minutes 5

`--target` names one target, a group of them, or `all`. Each run takes a valid input, puts one to six things in it
wrong, and hands it to the border, which may take it or refuse it in its own words. Everything else is a finding:
another exception, more than two seconds of processor time, a wait that nothing would end, more memory than the input's
size explains. It is printed with the input in base64 and the command that repeats it. The same seed gives the same
inputs.
"""

import argparse
import base64
import gc
import signal
import sys
import time
import traceback
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from eapg_split.runtime.memory import peak_resident_bytes, resident_bytes
from tests.fuzz.target import MIB, Target

TRACED_EVERY: Final = 200
LARGE_BYTES: Final = 16 << 10
RARE_LARGE: Final = 0.02  # how often a large input, which takes long, is taken
MOST_KEPT_BYTES: Final = 1 << 30
PURE: Final = 0.02  # how often an input is taken as it is


class TooSlow(BaseException):
    """Raised in the middle of an input that takes too much processor time; nothing may swallow it."""


@dataclass(slots=True)
class Summary:
    """What came out so far."""

    target: str
    runs: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, bytes] = field(default_factory=dict)
    slowest_s: float = 0.0
    most_bytes: int = 0
    before_bytes: int = field(default_factory=resident_bytes)  # what others in this process hold

    @property
    def words(self) -> str:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes.most_common())
        return f"{self.target}: {self.runs:,} inputs, {self.runs / max(self.seconds, 1e-9):,.0f}/s, {counts}"


def attempt(target: Target, data: bytes) -> str:
    """ "taken" or "refused"; what is raised besides is a finding."""
    try:
        target.enter(data)
    except target.refusals:
        return "refused"
    return "taken"


def judged(target: Target, data: bytes) -> str:
    """The same with findings as words."""
    signal.setitimer(
        signal.ITIMER_VIRTUAL, target.slow_s
    )  # processor time: a busy machine is not the border's fault
    try:
        return attempt(target, data)
    except TooSlow:
        return "too slow"
    except Exception as error:  # every other exception is what is looked for
        return f"{type(error).__name__} at {_place_of(error)}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def measured(target: Target, data: bytes) -> tuple[str, int]:
    """The same, and how much memory Python and numpy took for it at most."""
    tracemalloc.start()
    try:
        outcome = judged(target, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > target.base_bytes + target.bytes_per_byte * len(data):
        outcome = "too much memory"
    return outcome, peak


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Endless; the same for the same seed."""
    corpus, random = list(target.corpus()), Random(f"{target.name} {seed}")
    small = [data for data in corpus if len(data) <= LARGE_BYTES]
    large = [data for data in corpus if len(data) > LARGE_BYTES]
    while True:
        pool = large if large and (not small or random.random() < RARE_LARGE) else small
        data, other = random.choice(pool), random.choice(pool)
        yield data if random.random() < PURE else target.mutate(data, other, random)


def fuzz(
    target: Target, runs: int, *, seed: int = 0, minutes: float = float("inf"), show: bool = False
) -> Summary:
    """So many inputs, or for so long; every so often one is watched for the memory that it takes."""
    summary = Summary(target.name)
    gc.freeze()  # what is here stays: looking at it again and again takes a third of the time
    began = shown = time.monotonic()
    with _limits():
        for data in inputs(target, seed):
            if summary.runs >= runs or time.monotonic() - began > 60 * minutes:
                break
            _one(target, data, summary)
            summary.seconds = time.monotonic() - began
            if show and time.monotonic() - shown > 5:
                shown = time.monotonic()
                print(f"\r{summary.words}", end="", flush=True)
    return summary


def _one(target: Target, data: bytes, summary: Summary) -> None:
    begun = time.thread_time()
    if summary.runs % TRACED_EVERY == 0:
        outcome, peak = measured(target, data)
        summary.most_bytes = max(summary.most_bytes, peak)
    else:
        outcome = judged(target, data)
        summary.slowest_s = max(summary.slowest_s, time.thread_time() - begun)
    if summary.runs % 1000 == 0 and resident_bytes() - summary.before_bytes > MOST_KEPT_BYTES:
        outcome = "the process keeps too much memory"
    summary.runs += 1
    summary.outcomes[outcome] += 1
    if outcome not in ("taken", "refused"):
        before = summary.findings.get(outcome)
        if before is None or len(data) < len(before):
            summary.findings[outcome] = data


@contextmanager
def _limits() -> Iterator[None]:
    """A warning is a finding as well; an input that takes too long is interrupted."""

    def too_slow(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, too_slow)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _place_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "eapg_split" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def report(summary: Summary) -> None:
    """The last lines: figures, and how to repeat the findings."""
    print(f"\r{summary.words}")
    print(
        f"  slowest {summary.slowest_s * 1e3:.1f} ms, most memory for one input {summary.most_bytes / MIB:.2f} MiB, "
        f"process {peak_resident_bytes() / MIB:.0f} MiB, {len(summary.findings)} findings"
    )
    for outcome, data in summary.findings.items():
        text = base64.b64encode(data).decode()
        print(f"  {outcome}: python {sys.argv[0]} --target {summary.target} --replay {text}")


def main() -> int:
    from tests.fuzz.targets import TARGETS  # builds what they need: not before the path is there

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    groups = sorted({target.group for target in TARGETS.values()})
    names = ["all", *groups, *TARGETS]
    parser.add_argument("--target", required=True, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--replay", metavar="BASE64", help="enter this input, and show what it raises")
    options = parser.parse_args()
    chosen = [target for target in TARGETS.values() if options.target in ("all", target.group, target.name)]
    if options.replay is not None:
        print(attempt(chosen[0], base64.b64decode(options.replay)))
        return 0
    found = 0
    for target in chosen:
        summary = fuzz(target, options.runs, seed=options.seed, minutes=options.minutes, show=True)
        report(summary)
        found += len(summary.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
