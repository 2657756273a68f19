"""How coarsely a state may be coded for a wanted quality of the final video: a table that was measured once.

For some sizes of video, and for every stage and moment, the table says which quantiser step, used at one cut and
nowhere else, leaves the final video at `REFERENCE_DB` (PSNR against the lossless run) in the worst of the scenes that
it was measured on. The error of the video is proportional to the step, so other qualities follow. Sizes count, for the
larger the video is, the more of an early error is enlarged with the picture, and nothing averages it out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Self

from eapg_split.codecs.base import EXACT_TENSORS, Fidelity
from eapg_split.domain.workload import Stage, StageKind, Workload

REFERENCE_DB: Final = 45.0
BITS_DB: Final = (36.0, 45.0, 54.0)  # the qualities for which bits were measured
_HEADROOM_DB: Final = 0.75  # other scenes than those that were measured need up to so much more
_BEYOND_DB: Final = 1.0  # and videos larger than any that was measured up to so much besides
_MOST_POINTS: Final = 64
_MOST_CHANNELS: Final = 1024
_LARGEST_COUNT: Final = 2**31


@dataclass(frozen=True, slots=True)
class Point:
    """At `moment` (0 to 1) of a stage: the step for REFERENCE_DB, and bits an element at each of BITS_DB."""

    moment: float
    step: float
    bits: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class QualityTable:
    """By pixels of the canvas, then by stage and tensor ("stage3/xbar"): points in the order of their moments.

    `channels`, by their number, multiply the step channel by channel: the decoder amplifies some more than others.
    """

    sizes: Mapping[int, Mapping[str, tuple[Point, ...]]]
    channels: Mapping[int, tuple[float, ...]]

    @classmethod
    def from_json(cls, body: Mapping[str, object]) -> Self:
        """Raises ValueError, TypeError or KeyError for anything but what `to_json` gives."""
        sizes = {_count(pixels): _stages(stages) for pixels, stages in _mapping(body["sizes"]).items()}
        shares = {
            _count(key): _numbers(values, _MOST_CHANNELS)
            for key, values in _mapping(body["channels"]).items()
        }
        if not sizes:
            raise ValueError("a quality table has at least one size")
        if any(len(values) != count for count, values in shares.items()):
            raise ValueError("channels must have as many numbers as channels")
        return cls(MappingProxyType(dict(sorted(sizes.items()))), MappingProxyType(shares))

    def to_json(self) -> dict[str, object]:
        """The table as plain values."""
        sizes = {
            str(pixels): {
                key: [[point.moment, point.step, *point.bits] for point in points]
                for key, points in stages.items()
            }
            for pixels, stages in self.sizes.items()
        }
        return {"sizes": sizes, "channels": {str(n): list(values) for n, values in self.channels.items()}}

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        """What a codec may do to the state after a step, for a final video of that quality if nothing else is lost.

        The tensors share the permitted error by their sizes, which costs the fewest bits.
        """
        stage = workload.stage_of(step)
        if stage.kind is not StageKind.DENOISE:
            return Fidelity()
        tensors = {t.name: t for t in workload.spec_after(step).tensors if t.name not in EXACT_TENSORS}
        elements = sum(tensor.size for tensor in tensors.values())
        moment, pixels = moment_of(stage, step), canvas_pixels(workload)
        headroom = _HEADROOM_DB + (_BEYOND_DB if pixels > max(self.sizes) else 0)
        steps, channels, bits = {}, {}, {}
        for name, tensor in tensors.items():
            point = self._point(f"{stage.name}/{name}", moment, pixels)
            if point is None:
                continue
            target = quality_db + headroom + 10 * math.log10(elements / tensor.size)
            steps[name] = point.step * 10 ** ((REFERENCE_DB - target) / 20)
            bits[name] = _interpolated(BITS_DB, point.bits, target)
            shares = self.channels.get(tensor.shape[1])
            if shares is not None:
                channels[name] = shares
        return Fidelity(steps, channels, bits)

    def _point(self, key: str, moment: float, pixels: int) -> Point | None:
        """Between the moments and the sizes that were measured; beyond them as at the last one."""
        sizes = [
            (math.log(size), _between([(point.moment, point) for point in stages[key]], moment))
            for size, stages in self.sizes.items()
            if key in stages
        ]
        return _between(sizes, math.log(pixels)) if sizes else None


def moment_of(stage: Stage, step: int) -> float:
    """How much of the stage is done after a step, up to 1."""
    return (step + 1 - stage.start_step) / (stage.stop_step - stage.start_step)


def canvas_pixels(workload: Workload) -> int:
    """Of one frame of the last denoising stage: what is drawn, before it is cropped and shrunk to what is asked for."""
    return max(s.geometry.width * s.geometry.height for s in workload.stages if s.kind is StageKind.DENOISE)


def _between(points: Sequence[tuple[float, Point]], place: float) -> Point:
    """The table at any place: steps geometrically, bits linearly between its points."""
    for (left, before), (right, after) in pairwise(points):
        if left <= place <= right:
            share = (place - left) / (right - left)
            moment = before.moment + (after.moment - before.moment) * share
            low, middle, high = (a + (b - a) * share for a, b in zip(before.bits, after.bits, strict=True))
            return Point(moment, before.step ** (1 - share) * after.step**share, (low, middle, high))
    return points[0][1] if place < points[0][0] else points[-1][1]


def _interpolated(places: Sequence[float], values: Sequence[float], wanted: float) -> float:
    pairs = list(zip(places, values, strict=True))
    for (left, low), (right, high) in pairwise(pairs):
        if wanted <= right or right == places[-1]:
            return max(0.01, low + (high - low) * (wanted - left) / (right - left))
    return values[-1]


def _stages(values: object) -> Mapping[str, tuple[Point, ...]]:
    return MappingProxyType({str(key): _points(points) for key, points in _mapping(values).items()})


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
    if not all(isinstance(value, int | float) and 1e-9 < value < 1e6 for value in values):
        raise ValueError("numbers must be above 1e-9 and below a million")
    return tuple(map(float, values))


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _LARGEST_COUNT:
        raise ValueError(f"{number} is no number of pixels or channels")
    return number


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict) or len(value) > _MOST_POINTS:
        raise ValueError("a table of named values is expected")
    return value
