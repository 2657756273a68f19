"""The repetitions of one contestant, and the row that sets two contestants against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from figures import Row, Value


@dataclass
class Series:
    """Seconds of every repetition; `failed` says why there are none (any more)."""

    seconds: list[float] = field(default_factory=list)
    failed: str = ""

    @property
    def median_s(self) -> float:
        return median(self.seconds)

    def text(self) -> str:
        """For a row."""
        if not self.seconds:
            return self.failed or "not measured"
        return f"{self.figures()}, then {self.failed}" if self.failed else self.figures()

    def figures(self) -> str:
        """What was measured, in words."""
        p95 = float(np.quantile(self.seconds, 0.95))
        return f"{self.median_s * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms, {len(self.seconds)} times"


def times_faster(figure: str, ours: Series, theirs: Series, bar: float, beside: Mapping[str, Value]) -> Row:
    """Their median over ours, to be at least `bar`; with the bar 0 it is only told."""
    text = f">= {bar:g}x" if bar else ""
    if not (ours.seconds and theirs.seconds):
        return Row(figure, ours.failed or theirs.failed or "not measured", {}, text, not bar)
    ratio = theirs.median_s / ours.median_s
    return Row(figure, ratio, beside, text, ratio >= bar)
