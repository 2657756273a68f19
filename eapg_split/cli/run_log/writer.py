"""Writes the run log as things happen: one line, one write, so that a crash leaves whole lines behind."""

import base64
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from eapg_split.cli.run_log.lines import (
    FORMAT,
    VERSION,
    Failed,
    Header,
    LoggedStage,
    LogRecord,
    OutputBytes,
    PreviewPicture,
    kind_of,
)
from eapg_split.cli.run_log.pictures import encode_webp
from eapg_split.cli.run_log.values import BadValue, to_json
from eapg_split.domain.workload import Workload
from eapg_split.errors import EapgError, OutputFailure
from eapg_split.planner.policy import Objective
from eapg_split.runtime.events import JobEvent, OutputChunk, PreviewFrame

_ANY: Final = Objective()


@dataclass(frozen=True)
class LogOptions:
    """Where the log goes, and whether the prompt may stand in it."""

    path: Path
    with_prompt: bool = False


class LogWriter:
    """A context: entering it replaces the file by one with a header, leaving it by an error writes how it ended.

    Entering raises OutputFailure. Later a log that cannot be written any more (a full disk) does not end the job:
    `say` is told once, and the log ends there.
    """

    def __init__(self, path: Path, header: Header, say: Callable[[str], None]) -> None:
        self._path = path
        self._header = header
        self._say = say
        self._began = time.perf_counter()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("wb")
            self._write({"kind": "header", **_object(self._header)})
        except OSError as error:
            self._end()
            raise OutputFailure.of(error, self._path) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._append(_failure(error))
        self._end()

    def add(self, event: JobEvent) -> None:
        """One line. Never raises for what is wrong with the file."""
        match event:
            case PreviewFrame():
                self._append(_picture(event))
            case OutputChunk(data):
                self._append(OutputBytes(len(data)))
            case _:
                self._append(event)

    def _append(self, record: LogRecord) -> None:
        try:
            seen_s = round(time.perf_counter() - self._began, 6)
            self._write({"kind": kind_of(type(record)), "seen_s": seen_s, **_object(record)})
        except (OSError, BadValue) as error:
            self._end()
            self._say(f"note: the log '{self._path}' ends here ({error}); the job goes on")

    def _write(self, line: dict[str, object]) -> None:
        if self._file is not None:
            text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            self._file.write(text.encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # Closing flushes, which fails again where the disk is full.
            try:
                file.close()
            except OSError:
                return


def header_of(
    workload: Workload,
    *,
    understood: str,
    policy: str,
    codec: str,
    quality_db: float,
    engine: str,
    wishes: Objective = _ANY,
    deadline_s: float = 0.0,
) -> Header:
    """The header of a run that starts now. An empty `understood` means that the prompt is to stay out as well."""
    request = workload.request
    return Header(
        format=FORMAT,
        version=VERSION,
        software=_software(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        request=request if understood else request.without_prompt(),
        understood=understood,
        policy=policy,
        codec=codec,
        quality_db=quality_db,
        engine=engine,
        stages=tuple(
            LoggedStage(
                stage.name,
                stage.kind,
                stage.start_step,
                stage.stop_step,
                stage.geometry.fps,
                stage.geometry.width,
                stage.geometry.height,
                stage.geometry.frames,
            )
            for stage in workload.stages
        ),
        goal=wishes.goal,
        deadline_s=deadline_s,
        max_entropy_bits=wishes.max_entropy_bits if math.isfinite(wishes.max_entropy_bits) else 0.0,
        max_cuts=wishes.max_cuts,
        pins=dict(wishes.pins),
        memory_caps={str(node): size for node, size in wishes.memory_caps.items()},
    )


def _software() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("eapg-split")
    except PackageNotFoundError:
        return "from its sources"


def _object(record: object) -> dict[str, object]:
    value = to_json(record)
    assert isinstance(value, dict)
    return value


def _picture(event: PreviewFrame) -> PreviewPicture:
    height, width, _ = event.frame.shape
    data = b""
    if event.index in (0, event.count // 2, event.count - 1):
        data = encode_webp(event.frame)
    webp = base64.b64encode(data).decode("ascii")
    return PreviewPicture(event.stage, event.step, event.index, event.count, width, height, webp)


def _failure(error: BaseException) -> Failed:
    """How the run ended, without words that could come from the prompt."""
    if isinstance(error, EapgError):
        return Failed(type(error).__name__, error.message)
    if isinstance(error, Exception):
        return Failed(type(error).__name__, "Something unforeseen happened.")
    return Failed("Interrupted", "The run was interrupted or terminated.")
