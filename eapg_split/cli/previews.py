"""`--preview DIR`: a small GIF for every step, so that one can watch the clip come into being."""

import tempfile
from pathlib import Path

from eapg_split.cli.files import make_folder
from eapg_split.errors import EapgError, OutputFailure
from eapg_split.runtime.events import PreviewFrame
from eapg_split.runtime.sink import VideoFormat, VideoSink
from eapg_split.video import open_sink


class PreviewWriter:
    """Collects a step's frames into `DIR/step-NN-STAGE.gif`. Raises OutputFailure."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._sink: VideoSink | None = None
        make_folder(folder)

    def add(self, preview: PreviewFrame) -> None:
        if preview.index == 0:
            self.abort()
            self._open(preview)
        if self._sink is None:
            return  # the beginning of this one went to a node that has since been lost
        self._sink.write(preview.frame)
        if preview.index == preview.count - 1:
            self._finish(self._folder / f"step-{preview.step:02d}-{preview.stage}.gif")

    def abort(self) -> None:
        """Drops a GIF that has begun. Never raises."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abort()
            self._scratch.cleanup()

    def _open(self, preview: PreviewFrame) -> None:
        height, width, _ = preview.frame.shape
        fps = max(1, round((preview.count - 1) / self._seconds))
        self._scratch = tempfile.TemporaryDirectory(dir=self._folder, prefix=".step-")
        try:
            self._sink = open_sink(Path(self._scratch.name), VideoFormat(".gif", fps, width, height))
        except EapgError:
            self._scratch.cleanup()
            raise

    def _finish(self, target: Path) -> None:
        assert self._sink is not None
        (path,) = self._sink.finish()
        try:
            path.replace(target)
        except OSError as error:
            raise OutputFailure.of(error, target) from error
        finally:
            self.abort()
