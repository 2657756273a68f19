"""One trial: a job, a fault at a phase of it, how the job ended, and what is left behind."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eapg_split.errors import EapgError
from eapg_split.rpc.wire import ReplyField
from eapg_split.runtime.events import JobDone, JobEvent, StepDone
from tests.faults.engine import STEP_S
from tests.faults.http2 import Segments, Sight
from tests.faults.kinds import REMOTES, Cell, Fault, Phase, Target
from tests.faults.testbed import REQUEST, Testbed
from tests.nodes import undivided_sha

_ABOUT_HALF: Final = 0.4  # a large frame passes in two pieces, so it is never exactly half


class Outcome(StrEnum):
    """How a job ended."""

    FRAMES = "the same frames"
    ERROR = "a clear error"
    WRONG = "other frames"
    UNCLEAR = "an unclear end"
    UNHARMED = "before the fault came"


@dataclass(frozen=True)
class Trial:
    """What came of a cell. `redone` counts steps that the device heard of more than once."""

    cell: Cell
    outcome: Outcome
    words: str
    redone: int
    seconds: float
    left: tuple[str, ...] = ()
    struck_s: float = 0.0  # when the fault came, on the monotonic clock

    @property
    def ends_right(self) -> bool:
        """Whether the job ended as the matrix says, and nothing is left."""
        wanted = {Outcome.FRAMES, Outcome.ERROR if self.cell.may_end_in else Outcome.FRAMES}
        return self.outcome in wanted and not self.left

    def __str__(self) -> str:
        left = f"; left behind: {', '.join(self.left)}" if self.left else ""
        return f"{self.cell}: {self.outcome} ({self.words}), {self.redone} redone, {self.seconds:.1f} s{left}"


class Injection:
    """A fault that waits for its phase on the link before a node; `at_s` is when it came, on the monotonic clock."""

    def __init__(self, testbed: Testbed, cell: Cell) -> None:
        self._testbed = testbed
        self._cell = cell
        # what strikes the device strikes while the edge works
        self._watched = cell.target if cell.target in REMOTES else Target.EDGE
        self._whole = testbed.whole[self._watched]
        self._passed = Segments()
        self._striking: asyncio.Task[None] | None = None
        self.at_s = 0.0

    def arm(self) -> None:
        """From now on the fault may come."""
        self._testbed.relays[self._watched].notice = self._notice

    async def done(self) -> None:
        """Waits for what has begun."""
        self._testbed.relays[self._watched].notice = None
        if self._striking is not None:
            await self._striking

    async def _notice(self, sight: Sight) -> None:
        if self._striking is not None:
            return
        self._passed.add(sight)
        if not self._is_due(sight):
            return
        after_s = STEP_S / 2 if self._cell.phase is Phase.INSIDE_A_STEP else 0.0
        # a task of its own, as the connection on which it was noticed may end by it
        self._striking = asyncio.create_task(self._strike(after_s))
        if self._cell.phase not in (Phase.BETWEEN_STEPS, Phase.INSIDE_A_STEP):
            await asyncio.shield(self._striking)  # otherwise the word that a step is done goes on first

    def _is_due(self, sight: Sight) -> bool:
        whole, passed = self._whole, self._passed
        match self._cell.phase:
            case Phase.DESCRIBE | Phase.RESERVE:
                method = "Describe" if self._cell.phase is Phase.DESCRIBE else "Prepare"
                return sight.begins and sight.method == method
            case Phase.UPLOAD_HALF_WAY:
                return passed.there_bytes - sight.size > _ABOUT_HALF * whole.there_bytes
            case Phase.BETWEEN_STEPS | Phase.INSIDE_A_STEP:
                return sight.says(ReplyField.STEP)
            case Phase.DOWNLOAD_HALF_WAY:
                came = passed.back_bytes - sight.size
                return passed.steps == whole.steps and came > _ABOUT_HALF * whole.back_bytes
            case Phase.BEFORE_COMMIT:
                return sight.says(ReplyField.DONE)

    async def _strike(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.at_s = time.monotonic()
        await strike(self._testbed, self._cell.fault, self._cell.target)


async def strike(testbed: Testbed, fault: Fault, target: Target) -> None:
    """Does it now."""
    daemon = testbed.daemons[target]
    match fault:
        case Fault.SIGKILL | Fault.RESTART:
            daemon.signal(signal.SIGKILL)
            await daemon.died()
            if target in testbed.relays:
                testbed.relays[target].reset()  # what it had sent and nobody had taken in is lost too
            if fault is Fault.RESTART:
                await daemon.start()
        case Fault.SIGSTOP:
            daemon.signal(signal.SIGSTOP)
        case Fault.BLACK_HOLE:
            testbed.relays[target].black_hole()
        case Fault.RESET:
            testbed.relays[target].reset()
        case Fault.CORRUPT_1_PERCENT | Fault.CORRUPT_ALL:
            testbed.relays[target].garble(1.0 if fault is Fault.CORRUPT_ALL else 0.01)
        case Fault.OUT_OF_MEMORY:
            daemon.starve()
        case Fault.DISK_FULL:
            daemon.fill_disk()
        case Fault.WRONG_SIZES:
            raise AssertionError("a rogue lies by itself")


def relent(testbed: Testbed, target: Target) -> None:
    """Takes back what a living daemon feels."""
    daemon = testbed.daemons[target]
    with contextlib.suppress(ProcessLookupError):
        daemon.signal(signal.SIGCONT)
        daemon.relieve()


async def run_trial(testbed: Testbed, cell: Cell) -> Trial:
    """The testbed is whole before and after it."""
    lies = {cell.target: cell.phase} if cell.fault is Fault.WRONG_SIZES else {}
    await testbed.heal(lies)
    before = await testbed.footprints()
    injection = Injection(testbed, cell)
    if not lies:
        injection.arm()
    began = time.monotonic()
    outcome, words, events = await _job(testbed, cell)
    seconds = time.monotonic() - began
    await injection.done()
    if not (injection.at_s or (lies and testbed.daemons[cell.target].told.exists())):
        outcome = Outcome.UNHARMED
    relent(testbed, cell.target)
    await testbed.heal()
    left = await testbed.left_behind(before)
    return Trial(cell, outcome, words, redone(events), seconds, left, injection.at_s)


def redone(events: Sequence[JobEvent]) -> int:
    """How many steps were done again; a step that there is not is a lie, and was not done."""
    heard = [event for event in events if isinstance(event, StepDone)]
    steps = [event.step for event in heard if event.step < event.total_steps]
    return len(steps) - len(set(steps))


async def _job(testbed: Testbed, cell: Cell) -> tuple[Outcome, str, list[JobEvent]]:
    try:
        events = await testbed.run_job()
    except EapgError as error:
        clear = isinstance(error, cell.may_end_in)
        return Outcome.ERROR if clear else Outcome.UNCLEAR, f"{type(error).__name__}: {error}", []
    except TimeoutError:
        return Outcome.UNCLEAR, "it hung", []
    done = events[-1]
    assert isinstance(done, JobDone)
    ran = ", ".join(f"{part.node} {part.start_step}-{part.stop_step}" for part in done.segments)
    return (Outcome.FRAMES if done.frames_sha256 == undivided_sha(REQUEST) else Outcome.WRONG), ran, events
