"""A recorded run of telemetry, played back: JSON lines, or CSV with a header.

The names are those of `Telemetry`; what is absent, null or empty is unknown. `at_s` says when a row begins to hold, in
seconds since the playing began, and must not fall; without it the rows are a second apart. The last row stays. A file
that is replaced is played from its beginning.
"""

import bisect
import csv
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from eapg_split.domain.telemetry import RANGES, Quality, Telemetry, reading
from eapg_split.errors import InvalidRequest

_MOST_BYTES: Final = 64 * 2**20
_MOST_ROWS: Final = 1_000_000
_QUALITY: Final = "quality"
_log = logging.getLogger(__name__)


class TraceSource:
    """One file, read again only when another one has taken its place."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """The playing begins at the first look. Raises InvalidRequest for a file that is no trace."""
        self._path = path
        self._clock = clock
        self._read_anew()

    def _read_anew(self) -> None:
        path = self._path
        self._version = _version(path)
        self._began_s: float | None = None
        self._rows: list[Telemetry] = []
        self._begins_s: list[float] = []
        for line, row in _rows(path):
            if len(self._rows) >= _MOST_ROWS:
                raise InvalidRequest(f"{path} has more than {_MOST_ROWS} rows: play a part of it.")
            self._add(path, line, row)
        if not self._rows:
            raise InvalidRequest(f"{path} has no rows of telemetry: write one JSON object or CSV row a look.")

    def read(self) -> Telemetry:
        """All unknown while the file that took the place of another is no trace."""
        if _version(self._path) not in (None, self._version):
            try:
                self._read_anew()
            except InvalidRequest as error:
                _log.warning("telemetry is unknown: %s", error.message)
                self._rows, self._begins_s = [], []
        now = self._clock()
        if self._began_s is None:
            self._began_s = now
        index = bisect.bisect_right(self._begins_s, now - self._began_s) - 1
        return self._rows[index] if index >= 0 else Telemetry()

    def _add(self, path: Path, line: int, row: Mapping[str, object]) -> None:
        unknown = set(row) - {"at_s", _QUALITY, *RANGES}
        if unknown:
            raise InvalidRequest(
                f"{path}, line {line}: {min(unknown)!r} is no reading; the known ones are at_s, {_QUALITY},"
                f" {', '.join(RANGES)}."
            )
        before_s = self._begins_s[-1] if self._begins_s else 0.0
        at_s = _number(path, line, row, "at_s")
        if at_s is None:
            at_s = before_s + 1 if self._begins_s else 0.0
        if not before_s <= at_s < float("inf"):
            raise InvalidRequest(f"{path}, line {line}: at_s must be seconds that do not fall.")
        quality = Quality.MODELLED if row.get(_QUALITY) == Quality.MODELLED else Quality.MEASURED
        values = {name: reading(name, _number(path, line, row, name), quality) for name in RANGES}
        self._begins_s.append(at_s)
        self._rows.append(Telemetry.of(values))


def _number(path: Path, line: int, row: Mapping[str, object], name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise InvalidRequest(f"{path}, line {line}: {name} is no number.")


def _version(path: Path) -> tuple[int, int] | None:
    """Which file it is, and when it was last written; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """The rows with their line numbers; a file that begins with a brace is JSON lines."""
    lines = _text(path).splitlines()
    if not any(line.strip() for line in lines):
        return
    if next(line for line in lines if line.strip()).lstrip().startswith("{"):
        for index, line in enumerate(lines, 1):
            if line.strip():
                yield index, _object(path, index, line)
        return
    reader = csv.DictReader(lines, restkey="", restval="")
    for fields in reader:
        yield reader.line_num, {name.strip(): value for name, value in fields.items() if name}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InvalidRequest(f"{path} is larger than {_MOST_BYTES} bytes: play a part of it.")
        return data.decode("utf-8")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read ({error.strerror}): check --telemetry.") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not text: a trace is JSON lines or CSV.") from error


def _object(path: Path, line: int, words: str) -> Mapping[str, object]:
    try:
        row = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{path}, line {line} is not JSON: correct or remove it.") from error
    if not isinstance(row, dict):
        raise InvalidRequest(f"{path}, line {line} is not an object with named readings.")
    return row
