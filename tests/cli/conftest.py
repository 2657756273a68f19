"""A device that tells a short story instead of computing one."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from eapg_split.cli.connect import GenerateOptions
from eapg_split.runtime.events import (
    FrameDone,
    Hop,
    JobDone,
    JobEvent,
    Notice,
    OutputChunk,
    OutputFile,
    PlacedSegment,
    PlanMade,
    PreviewFrame,
    StepDone,
)

SEGMENTS = (
    PlacedSegment("device", "device", 0, 2),
    PlacedSegment("attic", "cloud", 2, 3),
    PlacedSegment("device", "device", 3, 4),
)
HOP = Hop("device", "attic", 2, "lossless", 12_345, 6_789, 0.25)
VIDEO = b"not really a video"


def story() -> list[JobEvent]:
    """A job of four steps over two nodes."""
    frame = np.full((8, 16, 3), 200, np.uint8)
    return [
        PlanMade("s", "pyramid", SEGMENTS, ("no edge node answered",), 4),
        StepDone("device", "device", "text", 0, 4, 0.01),
        StepDone("device", "device", "stage1", 1, 4, 1.5),
        PreviewFrame("stage1", 1, 0, 2, frame),
        PreviewFrame("stage1", 1, 1, 2, frame),
        HOP,
        StepDone("attic", "cloud", "stage2", 2, 4, 75.0),
        Notice("a sentence"),
        FrameDone(1, 2),
        FrameDone(2, 2),
        StepDone("device", "device", "decode", 3, 4, 0.5),
        OutputFile("", len(VIDEO)),
        OutputChunk(VIDEO[:5]),
        OutputChunk(VIDEO[5:]),
        JobDone("s", 2, 64, 64, 1, 7, 2.0, "ab" * 32, SEGMENTS, (HOP,), {"device": 90_000_000, "attic": 5}),
    ]


Tell = Callable[[Sequence[JobEvent | BaseException]], None]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Makes `generate` hear the given events; an exception among them is raised in its place."""

    def told(events: Sequence[JobEvent | BaseException]) -> None:
        @asynccontextmanager
        async def open_events(options: GenerateOptions) -> AsyncIterator[AsyncIterator[JobEvent]]:
            del options

            async def play() -> AsyncIterator[JobEvent]:
                for event in events:
                    if isinstance(event, BaseException):
                        raise event
                    yield event

            yield play()

        monkeypatch.setattr("eapg_split.cli.run.open_events", open_events)

    return told


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
