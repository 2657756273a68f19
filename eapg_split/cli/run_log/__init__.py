"""The run log: what happened in one run of `generate`, one JSON object a line. docs/run-log.md describes it."""

from eapg_split.cli.run_log.lines import Failed, Header, LoggedStage, LogRecord, OutputBytes, PreviewPicture
from eapg_split.cli.run_log.reader import LogLine, RunLog, read_log
from eapg_split.cli.run_log.writer import LogOptions, LogWriter

__all__ = [
    "Failed",
    "Header",
    "LogLine",
    "LogOptions",
    "LogRecord",
    "LogWriter",
    "LoggedStage",
    "OutputBytes",
    "PreviewPicture",
    "RunLog",
    "read_log",
]
