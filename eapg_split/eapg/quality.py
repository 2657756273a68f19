"""How coarsely a state may be coded for a wanted quality of the final video: a table that was measured once.

For every stage and moment the table says which quantiser step, used at one cut and nowhere else, leaves the final video
at `REFERENCE_DB` (PSNR against the lossless run) in the worst of the scenes that it was measured on. The error of the
video is proportional to the step, so other qualities follow.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Self

from eapg_split.codecs.base import EXACT_TENSORS, Fidelity
from eapg_split.domain.workload import StageKind, Workload

REFERENCE_DB: Final = 45.0
BITS_DB: Final = (36.0, 45.0, 54.0)  # the qualities for which bits were measured
_HEADROOM_DB: Final = 0.5  # other scenes than those that were measured need up to so much more
_MOST_POINTS: Final = 64
_MOST_CHANNELS: Final = 1024


@dataclass(frozen=True, slots=True)
class Point:
    """At `moment` (0 to 1) of a stage: the step for REFERENCE_DB, and bits an element at each of BITS_DB."""

    moment: float
    step: float
    bits: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class QualityTable:
    """`points` by stage and tensor ("stage3/xbar"), in the order of their moments; `channels` by their number.

    `channels` multiply the step channel by channel: the decoder amplifies some more than others.
    """

    points: Mapping[str, tuple[Point, ...]]
    channels: Mapping[int, tuple[float, ...]]

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> Self:
        """Raises ValueError, TypeError or KeyError for anything but what `to_json` gives."""
        points = {str(key): _points(values) for key, values in _mapping(body["points"]).items()}
        shares = {
            int(key): _numbers(values, _MOST_CHANNELS) for key, values in _mapping(body["channels"]).items()
        }
        if any(len(values) != count for count, values in shares.items()):
            raise ValueError("channels must have as many numbers as channels")
        return cls(MappingProxyType(points), MappingProxyType(shares))

    def to_json(self) -> dict[str, object]:
        """The table as plain values."""
        points = {
            key: [[point.moment, point.step, *point.bits] for point in values]
            for key, values in self.points.items()
        }
        return {"points": points, "channels": {str(n): list(values) for n, values in self.channels.items()}}

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        """What a codec may do to the state after a step, for a final video of that quality if nothing else is lost.

        The tensors share the permitted error by their sizes, which costs the fewest bits.
        """
        stage = workload.stage_of(step)
        if stage.kind is not StageKind.DENOISE:
            return Fidelity()
        tensors = {t.name: t for t in workload.spec_after(step).tensors if t.name not in EXACT_TENSORS}
        elements = sum(tensor.size for tensor in tensors.values())
        moment = (step + 1 - stage.start_step) / (stage.stop_step - stage.start_step)
        steps, channels, bits = {}, {}, {}
        for name, tensor in tensors.items():
            points = self.points.get(f"{stage.name}/{name}")
            if not points:
                continue
            target = quality_db + _HEADROOM_DB + 10 * math.log10(elements / tensor.size)
            point = _between(points, moment)
            steps[name] = point.step * 10 ** ((REFERENCE_DB - target) / 20)
            bits[name] = _interpolated(BITS_DB, point.bits, target)
            shares = self.channels.get(tensor.shape[1])
            if shares is not None:
                channels[name] = shares
        return Fidelity(steps, channels, bits)


def _between(points: Sequence[Point], moment: float) -> Point:
    """The table at any moment: steps geometrically, bits linearly between its points."""
    for before, after in pairwise(points):
        if before.moment <= moment <= after.moment:
            share = (moment - before.moment) / (after.moment - before.moment)
            low, middle, high = (a + (b - a) * share for a, b in zip(before.bits, after.bits, strict=True))
            return Point(moment, before.step ** (1 - share) * after.step**share, (low, middle, high))
    return points[0] if moment < points[0].moment else points[-1]


def _interpolated(places: Sequence[float], values: Sequence[float], wanted: float) -> float:
    pairs = list(zip(places, values, strict=True))
    for (left, low), (right, high) in pairwise(pairs):
        if wanted <= right or right == places[-1]:
            return max(0.01, low + (high - low) * (wanted - left) / (right - left))
    return values[-1]


def _points(values: object) -> tuple[Point, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= _MOST_POINTS:
        raise ValueError(f"a tensor of a stage has 1 to {_MOST_POINTS} points")
    points = []
    for value in values:
        moment, step, low, middle, high = _numbers(value, 5)
        points.append(Point(moment, step, (low, middle, high)))
    if any(after.moment <= before.moment for before, after in pairwise(points)):
        raise ValueError("points must be in the order of their moments")
    return tuple(points)


def _numbers(values: object, most: int) -> tuple[float, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= most:
        raise ValueError(f"1 to {most} numbers are expected")
    numbers = tuple(float(value) for value in values)
    if not all(math.isfinite(number) and 0 < number < 1e6 for number in numbers):
        raise ValueError("numbers must be above 0 and below a million")
    return numbers


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or len(value) > _MOST_POINTS:
        raise ValueError("a table of named values is expected")
    return value
