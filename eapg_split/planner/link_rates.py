"""What a node saw of its links: how fast they carried what was handed over, how sure that is, and how old.

Pure: the clock is whoever's who asks, so that a daemon and a simulation believe the same.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from eapg_split.domain.telemetry import MAX_LINKS, LinkSight
from eapg_split.errors import InvalidRequest
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.estimators import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    NO_PRIOR,
    BandwidthEstimator,
    RateEstimate,
    far,
)
from eapg_split.planner.models.radio import RADIOS, Technology
from eapg_split.planner.probe_budget import ProbeBudget, due_after_s

STALE_S: Final = 60.0
LEAST_BYTES: Final = 64 * 1024  # smaller samples are joined with their neighbours, or count for less
_RTT_S: Final = 600.0  # how long the shortest round trip is remembered
_MOST_LINKS: Final = 1024
_MOST_ROUND_TRIPS: Final = 32


@dataclass(frozen=True)
class Network:
    """How this node reaches the others. `metered` None asks the technology; where it is, probes must be allowed."""

    technology: Technology | None = None
    metered: bool | None = None
    probe_metered: bool = False
    estimator: str = DEFAULT_ESTIMATOR

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise InvalidRequest(
                f"There is no estimator {self.estimator!r} of a link's rate: choose one of"
                f" {', '.join(ESTIMATORS)}."
            )

    @property
    def may_probe(self) -> bool:
        """Whether bytes may be spent on a look at a link."""
        return self.probe_metered or not self.costs_money

    @property
    def costs_money(self) -> bool:
        """Whether what is sent and received is metered."""
        if self.metered is None:
            return self.technology is not None and self.technology.metered
        return self.metered


class Carried(Protocol):
    """So many bytes that a busy link carried within so many seconds."""

    @property
    def source(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def bytes(self) -> int: ...

    @property
    def seconds(self) -> float: ...


@dataclass
class _Link:
    prior: LinkEstimate | None
    rate: BandwidthEstimator
    round_trips: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST_ROUND_TRIPS))
    late_s: float = 0.0  # that a small message has not come back for, while none has
    samples: int = 0
    doubtful: bool = False


class LinkRates:
    """One per node: an estimator of each direction of each link, and its shortest round trip of late."""

    def __init__(
        self,
        own: str = "",
        network: Network | None = None,
        *,
        clock: Callable[[], float],
    ) -> None:
        """`own` is this node, whose radio `network` names; `clock` counts seconds and never goes back."""
        self.network = network or Network()
        self._own = own
        self._clock = clock
        self._links: dict[tuple[str, str], _Link] = {}
        self.probes = ProbeBudget(clock)

    def expect(self, source: str, target: str, prior: LinkEstimate) -> None:
        """What to believe of a link before it carried anything, and again long after."""
        if (source, target) not in self._links:
            self._open(source, target, prior)

    def observe(self, sample: Carried) -> None:
        """Takes a sample of a link that was busy; small ones count for less, and those without a duration nothing."""
        if sample.seconds <= 0:
            return
        link = self._link(sample.source, sample.target)
        now, rate = self._clock(), 8 * sample.bytes / sample.seconds
        link.rate.observe(rate, now, min(1.0, sample.bytes / LEAST_BYTES))
        link.samples += 1
        link.doubtful = far(rate, link.rate.estimate(now).bits_per_s)

    def round_trip(self, source: str, target: str, seconds: float) -> None:
        """Takes the time of a small message there and back, for both directions."""
        if seconds > 0:
            for ends in ((source, target), (target, source)):
                link = self._link(*ends)
                link.round_trips.append((self._clock(), seconds))
                link.late_s = 0.0

    def late(self, source: str, target: str, seconds: float) -> None:
        """A small message has not come back for so long: where no round trip is known, it takes longer than that."""
        for ends in ((source, target), (target, source)):
            link = self._link(*ends)
            if not link.round_trips:
                link.late_s = max(link.late_s, seconds)

    def bits_per_s(self, source: str, target: str) -> float | None:
        """The rate of a link; None while nothing was seen of it."""
        found = self._seen(source, target)
        return None if found is None else found.bits_per_s

    def estimate(self, source: str, target: str) -> LinkEstimate | None:
        """A link as a planner wants it; None while nothing was seen of it. What is not known is the prior's."""
        link, found = self._links.get((source, target)), self._seen(source, target)
        if link is None:
            return None
        rtt_s, rate = self._rtt_s(link), found or link.prior
        if rate is None or (found is None and math.isnan(rtt_s)):
            return None
        if math.isnan(rtt_s) and link.prior is not None:
            rtt_s = link.prior.rtt_s
        return LinkEstimate(rate.bits_per_s, rtt_s, rate.sigma, self._joules_per_byte(source, target))

    def age_s(self, source: str, target: str) -> float:
        """Seconds since something was seen of the link; infinite where nothing was."""
        found = self._seen(source, target)
        return math.inf if found is None else found.age_s

    def doubtful(self, source: str, target: str) -> bool:
        """Whether the last sample of the link was far from what is believed of it even so: it may have changed."""
        link = self._links.get((source, target))
        return link is not None and link.doubtful

    def stale(self, source: str, target: str) -> bool:
        """Whether a plan should not be made on what is known of the link: nothing, or nothing of the last minute."""
        return self.age_s(source, target) > STALE_S

    def due(self, one: str, other: str) -> bool:
        """Whether it is time for a look at the link between two nodes, in either direction."""
        ways = ((one, other), (other, one))
        doubtful = any(self.doubtful(*way) for way in ways)
        limit_s = due_after_s((self.bits_per_s(*way) for way in ways), doubtful=doubtful)
        return any(self.age_s(*way) > limit_s for way in ways)

    def sights(self) -> tuple[LinkSight, ...]:
        """All links of which something was seen, the newest first: what this node tells others."""
        found = [(ends, self._seen(*ends)) for ends in self._links]
        seen = sorted(((rate.age_s, ends, rate) for ends, rate in found if rate), key=lambda item: item[0])
        return tuple(
            LinkSight(*ends, rate.bits_per_s, rate.sigma, self._known_rtt_s(*ends), age_s)
            for age_s, ends, rate in seen[:MAX_LINKS]
        )

    def _seen(self, source: str, target: str) -> RateEstimate | None:
        link = self._links.get((source, target))
        return None if link is None or not link.samples else link.rate.estimate(self._clock())

    def _link(self, source: str, target: str) -> _Link:
        """The link's record, which is now the one that was used last; beyond so many the oldest is forgotten."""
        link = self._links.pop((source, target), None)
        if link is None:
            return self._open(source, target, None)
        self._links[source, target] = link
        return link

    def _open(self, source: str, target: str, prior: LinkEstimate | None) -> _Link:
        rate = NO_PRIOR if prior is None else RateEstimate(prior.bits_per_s, prior.sigma or NO_PRIOR.sigma)
        link = self._links[source, target] = _Link(prior, ESTIMATORS[self._kind](rate))
        if len(self._links) > _MOST_LINKS:
            del self._links[next(iter(self._links))]
        return link

    @property
    def _kind(self) -> str:
        return self.network.estimator or DEFAULT_ESTIMATOR

    def _rtt_s(self, link: _Link) -> float:
        """The shortest of the last ten minutes; of all that are remembered where those saw none; else NaN.

        Where none is known, but something is late, it is no shorter than that.
        """
        if link.late_s:
            return max(link.late_s, 0.0 if link.prior is None else link.prior.rtt_s)
        now = self._clock()
        late = [seconds for when_s, seconds in link.round_trips if now - when_s <= _RTT_S]
        return min(late or [seconds for _, seconds in link.round_trips], default=math.nan)

    def _known_rtt_s(self, source: str, target: str) -> float:
        rtt_s = self._rtt_s(self._links[source, target])
        return 0.0 if math.isnan(rtt_s) else rtt_s

    def _joules_per_byte(self, source: str, target: str) -> float:
        """Of this node's radio, 0 where the link is not its own or nobody said what it has."""
        technology = self.network.technology
        if technology is None or self._own not in (source, target):
            return 0.0
        radio = RADIOS[technology]
        return (radio.sending if source == self._own else radio.receiving).joules_per_byte
