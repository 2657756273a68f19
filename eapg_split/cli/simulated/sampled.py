"""The samples of a run as series over time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.cli.simulated.reading import RunFile, samples

BODY: Final = ("charge", "temperature_c", "clock_ratio")

Floats = NDArray[np.float64]
Series = dict[str, Floats]  # by the name of a node or a medium


@dataclass
class Samples:
    """The samples of a run: moments, and of each value a series for everything that has it."""

    at_s: Floats
    values: dict[str, Series] = field(default_factory=dict)


def read(run: RunFile) -> Samples:
    """All samples: what a line leaves out is as it was before, or nothing."""
    lines = list(samples(run))
    found = Samples(np.array([line["at_s"] for line in lines]))
    for key in (*BODY, "busy", "bits"):
        series: dict[str, Floats] = {}
        for index, line in enumerate(lines):
            for name, value in _told(line, key):
                if name not in series:
                    series[name] = np.full(len(lines), np.nan if key in BODY else 0.0)
                series[name][index] = value
        found.values[key] = {name: _held(each) if key in BODY else each for name, each in series.items()}
    return found


def until_s(runs: Sequence[Samples]) -> float:
    """When the longest of them ended."""
    return max(float(run.at_s[-1]) for run in runs) or 1.0


def _told(line: dict[str, object], key: str) -> Iterable[tuple[str, float]]:
    if key == "bits":
        bits = line["bits"]
        assert isinstance(bits, dict)
        return bits.items()
    nodes = line["nodes"]
    assert isinstance(nodes, dict)
    return [(name, values[key]) for name, values in nodes.items() if key in values]


def _held(series: Floats) -> Floats:
    """With what is left out as it was before."""
    known = np.maximum.accumulate(np.where(np.isnan(series), 0, np.arange(len(series))))
    return series[known]
