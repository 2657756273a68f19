"""`jobs.parquet`: one row for each job of every run."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eapg_split.cli.simulated.reading import RunFile, ends
from eapg_split.errors import OutputFailure

if TYPE_CHECKING:
    import pyarrow

_ROWS: Final = 65_536  # that are written together


def parquet_is_there() -> bool:
    """Whether the extra `parquet` is installed."""
    return find_spec("pyarrow") is not None


def schema() -> "pyarrow.Schema":
    """The columns; names and units are those of the record's `end` lines."""
    import pyarrow

    name = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    columns = {
        "policy": name,
        "seed": pyarrow.int64(),
        "job": pyarrow.int64(),
        "demand": name,
        "device": name,
        "began_s": pyarrow.float64(),
        "latency_s": pyarrow.float64(),
        "end": name,
        "energy_j": pyarrow.float64(),
        "money": pyarrow.float64(),
        "sent_bytes": pyarrow.int64(),
        "switches": pyarrow.int32(),
        "failures": pyarrow.int32(),
        "nodes": pyarrow.list_(pyarrow.string()),
        "why": pyarrow.string(),
    }
    return pyarrow.schema([pyarrow.field(key, kind, nullable=False) for key, kind in columns.items()])


def write_jobs(path: Path, files: Iterable[RunFile]) -> None:
    """All jobs of the runs, run by run, in the order in which they came. Raises OutputFailure."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    columns = schema()
    try:
        with ParquetWriter(path, columns, compression="zstd") as writer:
            for rows in _together(files):
                writer.write_table(pyarrow.Table.from_pylist(rows, columns))
    except OSError as error:
        raise OutputFailure(f"{path} cannot be written ({error.strerror or error}): make room.") from error


def _together(files: Iterable[RunFile]) -> Iterator[list[dict[str, Any]]]:
    """The rows of all runs, as many at a time as are written together."""
    rows = list[dict[str, Any]]()
    for file in files:
        jobs = ({"policy": file.policy, "seed": file.seed, **_without(line)} for line in ends(file))
        rows += sorted(jobs, key=lambda row: row["job"])
        while len(rows) >= _ROWS:
            yield rows[:_ROWS]
            del rows[:_ROWS]
    if rows:
        yield rows


def _without(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("at_s", "event", "policy")}
