"""Rates over time: recorded traces, and synthetic ones with the statistics of recorded ones.

The originals are not shipped. mahimahi's format lists the millisecond of each delivery opportunity of 1500 bytes
(github.com/ravinet/mahimahi); the format of the throughput sets of HSDPA, Oboe and Lumos5G is `seconds Mbit/s`.
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import InvalidRequest

Floats = NDArray[np.float64]

MAX_FILE_BYTES: Final = 64 << 20
MAX_SAMPLES: Final = 1_000_000
_PACKET_BITS: Final = 1500 * 8
LEAST_RATE: Final = 1e3  # bits a second, in place of nothing at all: a transfer then ends after all


class RateTrace:
    """Bits a second, constant for `step_s` seconds at a time; after its end it begins again."""

    def __init__(self, bits_per_s: Floats, step_s: float = 1.0) -> None:
        """Raises InvalidRequest unless there are rates, all of them finite and none negative."""
        rates = np.asarray(bits_per_s, np.float64)
        if rates.ndim != 1 or not 1 <= len(rates) <= MAX_SAMPLES or not 0 < step_s < np.inf:
            raise InvalidRequest(f"A trace needs 1 to {MAX_SAMPLES} rates and a positive time step.")
        if not (np.isfinite(rates).all() and (rates >= 0).all()):
            raise InvalidRequest("A trace holds a rate that is negative or not a number: mend the file.")
        self.bits_per_s = np.maximum(rates, LEAST_RATE)
        self.step_s = step_s
        self._carried = np.concatenate([[0.0], np.cumsum(self.bits_per_s) * step_s])

    @property
    def duration_s(self) -> float:
        return len(self.bits_per_s) * self.step_s

    def at(self, now_s: float) -> float:
        """Bits a second at a moment."""
        return float(self.bits_per_s[int(now_s / self.step_s) % len(self.bits_per_s)])

    def changes_s(self, now_s: float) -> float:
        """The next moment at which the rate may be another; infinite for a rate that is always the same."""
        if len(self.bits_per_s) == 1:
            return math.inf
        changes_s = (math.floor(now_s / self.step_s) + 1) * self.step_s
        return changes_s if changes_s > now_s else changes_s + self.step_s  # which rounding may deny

    def carried(self, now_s: float) -> float:
        """Bits that the link could have carried since time 0."""
        rounds, within = divmod(now_s, self.duration_s)
        index = min(int(within / self.step_s), len(self.bits_per_s) - 1)
        partial = (within - index * self.step_s) * self.bits_per_s[index]
        return float(rounds * self._carried[-1] + self._carried[index] + partial)

    def arrival(self, now_s: float, bits: float) -> float:
        """When the last of `bits` has passed that begin to pass now."""
        if bits <= 0:
            return now_s
        rounds, left = divmod(self.carried(now_s) + bits, float(self._carried[-1]))
        index = int(np.searchsorted(self._carried, left, side="right")) - 1
        index = min(index, len(self.bits_per_s) - 1)
        within = index * self.step_s + (left - self._carried[index]) / self.bits_per_s[index]
        return max(now_s, float(rounds * self.duration_s + within))

    def scaled(self, factor: float) -> "RateTrace":
        """The same trace, faster or slower."""
        return RateTrace(self.bits_per_s * factor, self.step_s)


def read_throughput(path: Path) -> RateTrace:
    """A file of `seconds Mbit/s` lines, at any intervals, resampled to one second. Raises InvalidRequest."""
    table = _numbers(path, columns=2)
    times, rates = table[:, 0] - table[0, 0], table[:, 1] * 1e6
    if (np.diff(times) < 0).any():
        raise InvalidRequest(f"{path.name}: the times do not go up: sort the lines.")
    if times[-1] > MAX_SAMPLES:
        raise InvalidRequest(f"{path.name} lasts longer than {MAX_SAMPLES} seconds: cut it.")
    seconds = np.arange(max(1, int(times[-1]) + 1))
    return RateTrace(rates[np.clip(np.searchsorted(times, seconds, side="right") - 1, 0, None)])


def read_mahimahi(path: Path) -> RateTrace:
    """A file with the millisecond of each packet's chance, summed up to seconds. Raises InvalidRequest."""
    at_ms = _numbers(path, columns=1)[:, 0]
    if (at_ms < 0).any() or at_ms.max() > 1000.0 * MAX_SAMPLES:
        raise InvalidRequest(f"{path.name}: a delivery lies outside 0 to {MAX_SAMPLES} seconds.")
    packets = np.bincount((at_ms // 1000).astype(np.int64))
    return RateTrace(packets.astype(np.float64) * _PACKET_BITS)


def _numbers(path: Path, *, columns: int) -> Floats:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB: cut it.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file without numbers, which is said below
            table = np.loadtxt(path, np.float64, ndmin=2, usecols=range(columns), max_rows=MAX_SAMPLES)
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read ({error.strerror}): check its name.") from error
    except ValueError as error:
        raise InvalidRequest(f"{path.name} is not a table of {columns} numbers a line: {error}.") from error
    if not len(table) or not np.isfinite(table).all():
        raise InvalidRequest(f"{path.name} holds no usable numbers: mend or drop it.")
    return table


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """One second's rates of a kind of link: mean, coefficient of variation, correlation one and five seconds apart.

    `outage_share` of the time nothing is carried, `outage_s` at a time on average.
    """

    mean_bits_per_s: float
    variation: float
    lag1: float
    lag5: float
    outage_share: float = 0.0
    outage_s: float = 10.0

    @classmethod
    def of_logarithm(cls, mean_bits_per_s: float, sigma: float, memory_s: float) -> "LinkStatistics":
        """Of rates whose logarithm deviates by sigma and correlates by exp(-t / memory_s) over t seconds."""
        variation2 = math.expm1(sigma**2)
        lag1, lag5 = (math.expm1(math.exp(-lag / memory_s) * sigma**2) / variation2 for lag in (1.0, 5.0))
        return cls(mean_bits_per_s, math.sqrt(variation2), lag1, lag5)


# Medians over the traces of recorded sets, at one second: mahimahi's LTE uplink, Riiser et al. (MMSys'13), Oboe
# (SIGCOMM'18), Lumos5G (4G and mmWave; SIGCOMM'21) and 5G while driving (UCC, MMSys'20).
LTE_UPLINK: Final = LinkStatistics(7.3e6, 0.60, 0.75, 0.32)
HSDPA: Final = LinkStatistics(1.24e6, 0.40, 0.86, 0.60)
OBOE: Final = LinkStatistics(2.8e6, 0.21, 0.91, 0.56)
LTE_4G: Final = LinkStatistics(40e6, 0.73, 0.92, 0.75)
MMWAVE_5G: Final = LinkStatistics(523e6, 0.87, 0.91, 0.64)
DRIVING_5G: Final = LinkStatistics(42e6, 1.43, 0.84, 0.35, outage_share=0.06)


def synthetic(statistics: LinkStatistics, seconds: int, seed: int) -> RateTrace:
    """A trace with these statistics: log-normal, its logarithm an AR(1) process and a little white noise, with outages.

    A correlation c of the rates is one of log(1 + c * variation**2) / sigma**2 of their logarithms. The two of them
    give the process its memory rho = (lag5 / lag1)**(1/4) and its share w = lag1 / rho of the variance; the outages
    come and go as a two-state Markov chain.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    carried = 1 - statistics.outage_share
    # an outage adds variation of its own: what is left for the logarithm
    variation2 = max(1e-6, (1 + statistics.variation**2) * carried - 1)
    sigma = np.sqrt(np.log1p(variation2))
    lag1, lag5 = (np.log1p(lag * variation2) / sigma**2 for lag in (statistics.lag1, statistics.lag5))
    rho = min(0.999, (lag5 / lag1) ** 0.25)
    share = min(1.0, lag1 / rho)
    noise = generator.standard_normal((2, seconds))
    slow = np.empty(seconds)
    state = noise[0, 0]
    for second in range(seconds):
        state = state if second == 0 else rho * state + np.sqrt(1 - rho**2) * noise[0, second]
        slow[second] = state
    logs = sigma * (np.sqrt(share) * slow + np.sqrt(1 - share) * noise[1]) - sigma**2 / 2
    rates = statistics.mean_bits_per_s / carried * np.exp(logs)
    return RateTrace(rates * ~_outages(statistics.outage_share, statistics.outage_s, seconds, generator))


def with_blackouts(
    trace: RateTrace, seed: int, *, every_s: float = 40.0, longest_s: float = 40.0
) -> RateTrace:
    """The trace, repeated to 400 s at least, with blackouts of 10 to `longest_s` seconds."""
    generator = np.random.Generator(np.random.Philox(seed))
    rounds = int(np.ceil(max(1.0, 400.0 / trace.duration_s)))
    rates = np.tile(trace.bits_per_s, rounds)
    second = 0
    while second < len(rates):
        if generator.random() < trace.step_s / every_s:
            length = int(generator.uniform(10.0, longest_s) / trace.step_s)
            rates[second : second + length] = 0.0
            second += length
        second += 1
    return RateTrace(rates, trace.step_s)


def _outages(share: float, mean_s: float, seconds: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    out = np.zeros(seconds, np.bool_)
    if share <= 0:
        return out
    leave, enter = 1 / mean_s, share / (mean_s * (1 - share))
    draws = generator.random(seconds)
    down = bool(draws[0] < share)
    for second in range(1, seconds):
        down = draws[second] >= leave if down else draws[second] < enter
        out[second] = down
    return out
