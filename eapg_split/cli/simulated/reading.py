"""What pictures and tables need of the records that a simulation has just written; whole records may be large."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Line = dict[str, Any]

_END: Final = b',"event":"end",'


@dataclass(frozen=True)
class RunFile:
    """One run: its record, under which policy and seed it was made."""

    policy: str
    seed: int
    path: Path


@dataclass(frozen=True)
class PolicyRuns:
    """The runs of one policy, as it is called in pictures, in the order of their seeds."""

    label: str
    runs: tuple[RunFile, ...]

    @property
    def first(self) -> RunFile:
        """That of which pictures of one run are made."""
        return self.runs[0]


def ends(run: RunFile) -> Iterator[Line]:
    """What became of each job, in the order in which they ended."""
    return _lines(run, _END)


def samples(run: RunFile) -> Iterator[Line]:
    """How nodes and media were."""
    return _lines(run, b',"event":"sample",')


def hops(run: RunFile) -> Iterator[Line]:
    """All states that went from node to node."""
    return _lines(run, b',"event":"hop",')


def of_job(run: RunFile, job: int) -> list[Line]:
    """All that is told of one job."""
    return [line for line in _lines(run, b'"job":%d,' % job) if line.get("job") == job]


def header(run: RunFile) -> Line:
    """The first line."""
    with run.path.open("rb") as file:
        first: Line = json.loads(file.readline())
    return first


def by_policy(files: Sequence[RunFile], labels: Sequence[str]) -> list[PolicyRuns]:
    """Runs that come policy by policy, as many of each."""
    each = len(files) // len(labels)
    return [
        PolicyRuns(label, tuple(files[number * each : (number + 1) * each]))
        for number, label in enumerate(labels)
    ]


def _lines(run: RunFile, having: bytes) -> Iterator[Line]:
    """The lines with these bytes; only they are parsed."""
    with run.path.open("rb") as file:
        for line in file:
            if having in line:
                yield json.loads(line)
