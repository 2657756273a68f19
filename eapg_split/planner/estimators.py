"""How fast a link is, from what it carried. Pure: the same objects watch a live link and replay a trace.

Every estimator keeps a value and the deviation sigma of the logarithm of what the link will really do. Age widens
sigma up to the prior's within a minute; after that the value goes towards the prior as well, by half in about 3.5
minutes: what a link did long ago still says more than what links of its kind do.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

FRESH_S: Final = 60.0
LEAST_BITS_PER_S: Final = 1e3  # an outage, whose logarithm must be a number
DOUBT: Final = 2.0  # a sample that is so many times off says that the link has changed, or nothing
_FADE_S: Final = 300.0
_MOST_BITS_PER_S: Final = 1e13


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """Bits per second, the deviation of their natural logarithm, and seconds since the last sample (inf: none)."""

    bits_per_s: float
    sigma: float
    age_s: float = math.inf

    def quantile(self, z: float) -> float:
        """`z` deviations above the value, or below it: -1.645 is kept with 95 %."""
        return self.bits_per_s * math.exp(z * self.sigma)


NO_PRIOR: Final = RateEstimate(20e6, 1.2)


class BandwidthEstimator(Protocol):
    """One direction of one link. Moments are seconds of any clock that does not go back."""

    def observe(self, bits_per_s: float, at_s: float, weight: float = 1.0) -> None:
        """Takes a sample of a busy link; `weight` 1 is a full one, of 64 KiB or more. What is no rate is ignored."""
        ...

    def estimate(self, now_s: float) -> RateEstimate:
        """What to believe now; the prior while nothing was seen."""
        ...


def _usable(bits_per_s: float, weight: float) -> bool:
    return 0 <= bits_per_s <= _MOST_BITS_PER_S and 0 < weight < math.inf


def far(rate: float, other: float) -> bool:
    """Whether two rates are more than `DOUBT` times apart, or one is NaN."""
    return not 1 / DOUBT <= rate / other <= DOUBT


class _Aged:
    """What all share: the prior, and what age makes of a value."""

    def __init__(self, prior: RateEstimate = NO_PRIOR) -> None:
        self._prior = prior
        self._last_s = -math.inf

    def _aged(self, bits_per_s: float, sigma: float, now_s: float) -> RateEstimate:
        prior, age_s = self._prior, max(0.0, now_s - self._last_s)
        widened = max(0.0, prior.sigma**2 - sigma**2) * min(1.0, age_s / FRESH_S)
        share = math.exp(-max(0.0, age_s - FRESH_S) / _FADE_S)
        logarithm = share * math.log(bits_per_s) + (1 - share) * math.log(prior.bits_per_s)
        return RateEstimate(math.exp(logarithm), math.sqrt(sigma**2 + widened), age_s)


class Ewma(_Aged):
    """Exponentially weighted mean of the rates, and of the squares of what their logarithms were off by. The default.

    On recorded traces it was best or nearly so for deciding where to compute: pessimism costs more than it saves there.
    Two samples after one another that are both off by more than `DOUBT`, and agree, begin a new mean: a link that broke
    down is not what it was a minute ago, and few samples are taken of one that nobody uses.
    """

    def __init__(self, prior: RateEstimate = NO_PRIOR, alpha: float = 0.3) -> None:
        super().__init__(prior)
        self._keep = 1 - alpha
        self._rate = math.nan
        self._variance = prior.sigma**2
        self._doubtful = math.nan  # the sample before, where it was off

    def observe(self, bits_per_s: float, at_s: float, weight: float = 1.0) -> None:
        if not _usable(bits_per_s, weight):
            return
        rate = max(bits_per_s, LEAST_BITS_PER_S)
        self._last_s = max(at_s, self._last_s)
        if math.isnan(self._rate):
            self._rate = rate
            return
        off, before = far(rate, self._rate), self._doubtful
        self._doubtful = rate if off else math.nan
        if off and not far(rate, before):
            self._rate, self._doubtful = (rate + before) / 2, math.nan
            return
        share = 1 - self._keep**weight
        self._variance += share * (math.log(rate / self._rate) ** 2 - self._variance)
        self._rate += share * (rate - self._rate)

    def estimate(self, now_s: float) -> RateEstimate:
        if math.isnan(self._rate):
            return self._prior
        return self._aged(self._rate, math.sqrt(self._variance), now_s)


class _Windowed(_Aged):
    """A figure of the last samples; sigma is how far their logarithms are from its own."""

    def __init__(self, prior: RateEstimate, length: int, figure: Callable[[list[float]], float]) -> None:
        super().__init__(prior)
        self._rates: deque[float] = deque(maxlen=length)
        self._figure = figure

    def observe(self, bits_per_s: float, at_s: float, weight: float = 1.0) -> None:
        if _usable(bits_per_s, weight):
            self._rates.append(max(bits_per_s, LEAST_BITS_PER_S))
            self._last_s = max(at_s, self._last_s)

    def estimate(self, now_s: float) -> RateEstimate:
        if not self._rates:
            return self._prior
        value = self._figure(list(self._rates))
        off = sum(math.log(rate / value) ** 2 for rate in self._rates)
        # the prior counts as one sample, so that few of them do not seem sure
        sigma = math.sqrt((off + self._prior.sigma**2) / (len(self._rates) + 1))
        return self._aged(value, sigma, now_s)


def harmonic(prior: RateEstimate = NO_PRIOR, length: int = 5) -> BandwidthEstimator:
    """Harmonic mean of the last five samples, as video players use it for chunks."""
    return _Windowed(prior, length, lambda rates: len(rates) / sum(1 / rate for rate in rates))


def max_filter(prior: RateEstimate = NO_PRIOR, length: int = 10) -> BandwidthEstimator:
    """The largest of the last ten samples: what the link can do, as BBR sees it."""
    return _Windowed(prior, length, max)


def quantile(prior: RateEstimate = NO_PRIOR, length: int = 20, share: float = 0.25) -> BandwidthEstimator:
    """A low quantile of the last twenty samples: what the link did at least, three times out of four."""
    return _Windowed(prior, length, lambda rates: sorted(rates)[int(share * (len(rates) - 1))])


class Kalman(_Aged):
    """Random walk of the logarithm, seen through noise: the gain follows from how long nothing was seen."""

    def __init__(self, prior: RateEstimate = NO_PRIOR, drift_per_s: float = 0.02, noise: float = 0.1) -> None:
        """`drift_per_s` is the variance of the walk per second, `noise` that of one full sample."""
        super().__init__(prior)
        self._drift_per_s, self._noise = drift_per_s, noise
        self._mean, self._variance = math.log(prior.bits_per_s), prior.sigma**2

    def observe(self, bits_per_s: float, at_s: float, weight: float = 1.0) -> None:
        if not _usable(bits_per_s, weight):
            return
        passed_s = max(0.0, at_s - self._last_s) if math.isfinite(self._last_s) else 0.0
        self._last_s = max(at_s, self._last_s)
        variance = min(
            self._variance + self._drift_per_s * passed_s, max(self._prior.sigma**2, self._variance)
        )
        gain = variance / (variance + self._noise / weight)
        self._mean += gain * (math.log(max(bits_per_s, LEAST_BITS_PER_S)) - self._mean)
        self._variance = (1 - gain) * variance

    def estimate(self, now_s: float) -> RateEstimate:
        if math.isinf(self._last_s):
            return self._prior
        # what comes next is the walk's place and one sample's noise
        return self._aged(math.exp(self._mean), math.sqrt(self._variance + self._noise), now_s)


DEFAULT_ESTIMATOR: Final = "ewma"
ESTIMATORS: Final[Mapping[str, Callable[[RateEstimate], BandwidthEstimator]]] = MappingProxyType(
    {"ewma": Ewma, "harmonic": harmonic, "max": max_filter, "quantile": quantile, "kalman": Kalman}
)
