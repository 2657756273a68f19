"""Reads a run log at the border: whatever the file holds, there is a checked value or one sentence with its line."""

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from eapg_split.cli.run_log.lines import FORMAT, KINDS, VERSION, Failed, Header, LogRecord
from eapg_split.cli.run_log.values import BadValue, from_json
from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.runtime.events import JobDone

MAX_LINE_BYTES: Final = 512 << 10
MAX_LOG_BYTES: Final = 64 << 20
MAX_LINES: Final = 200_000


@dataclass(frozen=True)
class LogLine:
    """One event, and when it was written: `seen_s` seconds after the log was opened."""

    seen_s: float
    record: LogRecord


@dataclass(frozen=True)
class RunLog:
    """A whole log in order. `unfinished` says why there is no end (empty where there is one).

    `unknown_lines` counts lines of kinds that this version does not know; they are left out.
    """

    header: Header
    lines: tuple[LogLine, ...]
    unfinished: str = ""
    unknown_lines: int = 0


def read_log(path: Path) -> RunLog:
    """The log of a run that ended, failed, was killed or still goes on.

    Raises InvalidRequest, with the number of the line, for what is no log, too large, or of another version.
    """
    lines: list[LogLine] = []
    header: Header | None = None
    unknown = 0
    broken_at = 0
    for number, (data, whole) in enumerate(_raw_lines(path), start=1):
        try:
            fields = _parse(data)
            if header is None:
                header = _read_header(fields)
            elif str(fields.get("kind")) not in KINDS:
                unknown += 1
            else:
                lines.append(_read_line(fields))
        except BadValue as error:
            if not whole and header is not None:  # the run was killed while it wrote this
                broken_at = number
                break
            raise InvalidRequest(f"{path}, line {number}: {error}.") from None
    if header is None:
        raise InvalidRequest(f"{path} is empty: its run was killed at once, or it is no run log.")
    return RunLog(header, tuple(lines), _unfinished(lines, broken_at), unknown)


def _unfinished(lines: list[LogLine], broken_at: int) -> str:
    if broken_at:
        return f"The log ends in the middle of line {broken_at}: the run was killed."
    if lines and isinstance(lines[-1].record, JobDone | Failed):
        return ""
    return "The log ends before its job did: the run was killed, or still goes on."


def _raw_lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Each line without its end, and whether it had one. Raises InvalidRequest beyond the bounds."""
    total = 0
    try:
        # A pipe must not be waited for: only a plain file is read.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InvalidRequest(f"{path} is not a file: name the log that --log wrote.")
            for number in range(1, MAX_LINES + 2):
                line = file.readline(MAX_LINE_BYTES + 1)
                total += len(line)
                if not line:
                    return
                if len(line) > MAX_LINE_BYTES:
                    raise InvalidRequest(f"{path}, line {number}: more than {MAX_LINE_BYTES} bytes.")
                if total > MAX_LOG_BYTES or number > MAX_LINES:
                    raise InvalidRequest(
                        f"{path}, line {number}: a log has at most {MAX_LOG_BYTES} bytes and {MAX_LINES} lines."
                    )
                yield line.removesuffix(b"\n"), line.endswith(b"\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"{path} cannot be read ({reason}): name the log that --log wrote.") from None


def _parse(data: bytes) -> dict[str, object]:
    try:
        fields = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise BadValue("not UTF-8 text") from None
    except (ValueError, RecursionError):
        raise BadValue("not a line of JSON") from None
    if not isinstance(fields, dict):
        raise BadValue("not a JSON object")
    return fields


def _refuse_constant(word: str) -> float:
    raise ValueError(word)


def _read_header(fields: dict[str, object]) -> Header:
    if fields.get("kind") != "header" or fields.get("format") != FORMAT:
        raise BadValue("not the header of a run log, as --log writes it")
    version = fields.get("version")
    if version != VERSION:
        shown = version if isinstance(version, int) and 0 <= version < 10**6 else "of another kind"
        raise BadValue(
            f"the log's version is {shown} and this eapg-split reads {VERSION}: install the one it needs"
        )
    try:
        return from_json(Header, fields)
    except EapgError as error:  # the request checks itself
        raise BadValue(error.message.rstrip(".")) from None


def _read_line(fields: dict[str, object]) -> LogLine:
    seen_s = from_json(_Seen, fields).seen_s
    record: object = from_json(KINDS[str(fields["kind"])], fields)
    return LogLine(seen_s, cast(LogRecord, record))


@dataclass(frozen=True)
class _Seen:
    seen_s: float
