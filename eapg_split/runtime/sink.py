"""Where finished frames go: the seam between a job and the container format that a person asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class VideoFormat:
    """What a sink must write: the ending of the wanted name (with its dot; empty for a folder of PNG) and geometry."""

    suffix: str
    fps: int
    width: int
    height: int


class VideoSink(Protocol):
    """Takes RGB frames in order and leaves files. Blocking; always used from one thread at a time."""

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Adds one frame, shape (height, width, 3). Raises OutputFailure when it cannot be written."""

    def finish(self) -> Sequence[Path]:
        """Flushes, and returns the files: one, or for a folder of PNG all in order. Raises OutputFailure."""

    def abort(self) -> None:
        """Releases whatever is held; what was written may be incomplete. Never raises; legal after `finish`."""


class OpenSink(Protocol):
    """Opens a sink that writes below `folder`, which exists and is empty.

    Raises InvalidRequest where the suffix is not known; this is called before the first step is computed.
    """

    def __call__(self, folder: Path, video: VideoFormat) -> VideoSink: ...
