"""How far what is measured is from what was believed: Bayesian linear regression on logarithms, which can be sampled.

    log(measured / believed) = theta . (1, z) + noise,   theta ~ N(A^-1 b, A^-1)

with A the prior's precision plus the sum of x x^T / sigma^2, and b the sum of x y / sigma^2. Old samples fade, for what
is believed follows the world as well.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_PRIOR: Final = (4.0, 25.0)  # precisions: a factor of 1.65 either way for a start, and hardly any slope
_NOISE: Final = 0.25  # deviation of one sample's logarithm
_FADES: Final = 0.97  # with each further sample
_MOST: Final = 1e100  # of a number in a kept belief: their products stay finite
_LARGEST: Final = math.log(8.0)  # of a correction, either way


@dataclass(frozen=True, slots=True)
class Belief:
    """The posterior of one node or link: A as (a00, a01, a11) and b; without samples it is the prior."""

    precision: tuple[float, float, float] = (_PRIOR[0], 0.0, _PRIOR[1])
    moment: tuple[float, float] = (0.0, 0.0)
    count: int = 0

    def after(self, z: float, log_ratio: float) -> Self:
        """The posterior with one more sample; a ratio beyond a factor of 8 counts as one of 8."""
        y = max(-_LARGEST, min(_LARGEST, log_ratio))
        weight = 1 / _NOISE**2
        a00, a01, a11 = self.precision
        precision = (
            _PRIOR[0] + _FADES * (a00 - _PRIOR[0]) + weight,
            _FADES * a01 + weight * z,
            _PRIOR[1] + _FADES * (a11 - _PRIOR[1]) + weight * z * z,
        )
        moment = (_FADES * self.moment[0] + weight * y, _FADES * self.moment[1] + weight * z * y)
        return type(self)(precision, moment, self.count + 1)

    @property
    def uncertainty(self) -> float:
        """The deviation of the correction's logarithm at z = 0."""
        a00, a01, a11 = self.precision
        return math.sqrt(a11 / (a00 * a11 - a01 * a01))

    def draw(self, normals: tuple[float, float] = (0.0, 0.0)) -> "Line":
        """A line from the posterior, by two standard normal numbers; with zeros the mean.

        mean + L^-T normals, where A = L L^T.
        """
        a00, a01, a11 = self.precision
        b0, b1 = self.moment
        determinant = a00 * a11 - a01 * a01
        l00 = math.sqrt(a00)
        l10, l11 = a01 / l00, math.sqrt(determinant / a00)
        second = normals[1] / l11
        first = (normals[0] - l10 * second) / l00
        return Line((a11 * b0 - a01 * b1) / determinant + first, (a00 * b1 - a01 * b0) / determinant + second)

    def state(self) -> list[float]:
        """As JSON can hold it."""
        return [*self.precision, *self.moment, float(self.count)]

    @classmethod
    def of_state(cls, state: object) -> Self:
        """Raises ValueError for what `state` did not give."""
        if not isinstance(state, list) or len(state) != 6:
            raise ValueError("a belief has six numbers")
        if not all(
            isinstance(n, int | float) and not isinstance(n, bool) and -_MOST <= n <= _MOST for n in state
        ):
            raise ValueError("a belief has six finite numbers")
        a00, a01, a11, b0, b1, count = map(float, state)
        if a00 <= 0 or a00 * a11 - a01 * a01 <= 0:
            raise ValueError("the precision of a belief is positive definite")
        return cls((a00, a01, a11), (b0, b1), int(count))


@dataclass(frozen=True, slots=True)
class Line:
    """log(factor) = intercept + slope * z."""

    intercept: float
    slope: float

    def factor(self, z: float) -> float:
        """What the believed seconds are to be multiplied by, from 1/8 to 8."""
        return math.exp(max(-_LARGEST, min(_LARGEST, self.intercept + self.slope * z)))


def beliefs_state(beliefs: Mapping[str, Belief]) -> dict[str, list[float]]:
    return {key: beliefs[key].state() for key in sorted(beliefs)}


def beliefs_of(state: object) -> dict[str, Belief]:
    """Raises ValueError for what `beliefs_state` did not give."""
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise ValueError("beliefs are kept by name")
    return {key: Belief.of_state(value) for key, value in state.items()}
