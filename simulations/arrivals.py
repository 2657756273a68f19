"""When jobs come: at random, or as a file says."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest

MAX_ROWS: Final = 1_000_000


@dataclass(frozen=True)
class Poisson:
    """A job of each device every so many seconds on average, from a moment to another."""

    every_s: float
    from_s: float = 0.0
    until_s: float = float("inf")

    def moments_s(self, device: NodeId, draws: np.random.Generator) -> Iterator[float]:
        """When the device's jobs come; endless."""
        del device
        now_s = self.from_s
        while True:
            now_s += float(draws.exponential(self.every_s))
            if now_s >= self.until_s:
                return
            yield now_s


@dataclass(frozen=True)
class Listed:
    """Moments for every device, and for named ones."""

    all_s: tuple[float, ...] = ()
    of_s: tuple[tuple[NodeId, float], ...] = ()

    def moments_s(self, device: NodeId, draws: np.random.Generator) -> Iterator[float]:
        """When the device's jobs come."""
        del draws
        yield from sorted([*self.all_s, *(when for name, when in self.of_s if name == device)])


Arrivals = Poisson | Listed


def read_arrivals(path: Path) -> Listed:
    """A CSV file with a column `at_s`, and perhaps `device` (empty: every device). Raises InvalidRequest."""
    everybody, named = list[float](), list[tuple[NodeId, float]]()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=2):
                if number > MAX_ROWS:
                    raise InvalidRequest(f"{path.name} has more than {MAX_ROWS} lines: cut it.")
                when, device = _moment(path, number, row.get("at_s")), row.get("device") or ""
                if device:
                    named.append((NodeId(device), when))
                else:
                    everybody.append(when)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path.name} cannot be read ({error}): check its name.") from error
    return Listed(tuple(everybody), tuple(named))


def _moment(path: Path, line: int, text: str | None) -> float:
    try:
        when = float(text or "")
    except ValueError:
        when = -1.0
    if not 0 <= when < float("inf"):
        raise InvalidRequest(f"{path.name}, line {line}: at_s must be seconds from 0 on, not {text!r}.")
    return when
