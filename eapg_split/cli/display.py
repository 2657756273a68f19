"""Progress for people, on stderr: a live bar on a terminal, plain lines anywhere else."""

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from eapg_split.cli.text import duration, printable, size
from eapg_split.runtime.events import FrameDone, Hop, JobEvent, Notice, PlacedSegment, PlanMade, StepDone

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Display(Protocol):
    """A context that is told what happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, sentence: str) -> None:
        """One line that stays."""

    def show(self, event: JobEvent) -> None: ...


def open_display(stage_of: Callable[[int], str]) -> Display:
    """What suits stderr; `stage_of` gives the name of the stage that holds a step."""
    return LiveDisplay(stage_of) if sys.stderr.isatty() else PlainDisplay()


class PlainDisplay:
    """One line for each plan, finished stage, hop and notice; steps and frames are summed up."""

    def __init__(self) -> None:
        self._stage = ""
        self._place = ""
        self._steps = 0
        self._seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_stage()

    def say(self, sentence: str) -> None:
        print(printable(sentence), file=sys.stderr, flush=True)

    def show(self, event: JobEvent) -> None:
        match event:
            case StepDone(node, tier, stage):
                place = where(node, tier)
                if (stage, place) != (self._stage, self._place):
                    self._end_stage()
                    self._stage, self._place = stage, place
                self._steps += 1
                self._seconds += event.seconds
            case PlanMade() | Hop() | Notice():
                self._end_stage()
                for line in event_lines(event):
                    self.say(line)
            case _:
                pass

    def _end_stage(self) -> None:
        if self._steps:
            count = "1 step" if self._steps == 1 else f"{self._steps} steps"
            self.say(f"{self._stage}: {count} on {self._place} in {duration(self._seconds)}")
        self._stage, self._steps, self._seconds = "", 0, 0.0


class LiveDisplay:
    """A bar over all steps with the stage and the node at work, and one over the decoded frames."""

    def __init__(self, stage_of: Callable[[int], str]) -> None:
        self._stage_of = stage_of
        self.at_work = "starting"
        self._segments: Sequence[PlacedSegment] = ()
        self._progress = _progress()
        self._steps: TaskID | None = None
        self._frames: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        self._steps = self._progress.add_task(self.at_work, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, sentence: str) -> None:
        self._progress.console.print(printable(sentence), markup=False, highlight=False)

    def show(self, event: JobEvent) -> None:
        assert self._steps is not None, "show() needs the context to be entered"
        match event:
            case PlanMade(segments=segments, total_steps=total):
                self._segments = segments
                step = segments[0].start_step
                self._advance(step, total)
            case StepDone(step=step, total_steps=total):
                self._advance(step + 1, total)
            case FrameDone(frame, total):
                if self._frames is None:
                    self._frames = self._progress.add_task("frames", total=total)
                self._progress.update(self._frames, completed=frame)
            case _:
                pass
        for line in event_lines(event):
            self.say(line)

    def _advance(self, step: int, total: int) -> None:
        assert self._steps is not None
        self.at_work = printable(self._who_computes(step))
        self._progress.update(self._steps, total=total, completed=step, description=self.at_work)

    def _who_computes(self, step: int) -> str:
        for segment in self._segments:
            if segment.start_step <= step < segment.stop_step:
                return f"{self._stage_of(step)} on {where(segment.node, segment.tier)}"
        return "finishing"


def event_lines(event: JobEvent) -> list[str]:
    """What is worth a line that stays; nothing for most events."""
    match event:
        case PlanMade(policy=policy, revision=revision):
            parts = ", ".join(
                f"{_steps(part.start_step, part.stop_step)} on {where(part.node, part.tier)}"
                for part in event.segments
            )
            word = "plan" if revision == 0 else f"new plan ({revision})"
            why = [f"because: {event.reason}"] if event.reason else []
            return [f"{word} ({policy}): {parts}", *why, *(f"note: {note}" for note in event.notes)]
        case Hop(source, target):
            took = duration(event.seconds)
            return [f"{source} -> {target}: {size(event.wire_bytes)} ({event.codec}) in {took}"]
        case Notice(text):
            return [f"note: {text}"]
        case _:
            return []


def where(node: str, tier: str) -> str:
    """A node with its tier, once where both have the same name."""
    return node if node == tier else f"{node} ({tier})"


def _steps(start: int, stop: int) -> str:
    return f"step {start}" if stop == start + 1 else f"steps {start} to {stop - 1}"


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
