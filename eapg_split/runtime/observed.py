"""What a job saw of its nodes and links, as values: whoever keeps a log of it can later run it again on paper.

Told only where the job's owner asks for it, a few times a second at most. All moments are seconds since the job began.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class StageSeconds:
    """What a step of a stage takes on a node by its profile, at full clock.

    `entry_s` is what the first one of the stage there takes besides, `load_s` what its weights take to load. `watts`
    are 0 where no meter can be read, `uncertain` says that nobody measured.
    """

    stage: str
    step_s: float
    entry_s: float = 0.0
    load_s: float = 0.0
    watts: float = 0.0
    uncertain: bool = False


@dataclass(frozen=True)
class NodeDescribed:
    """A node that the job may use, as its plans know it; `memory_bytes` is 0 where it did not say."""

    node: str
    tier: str
    engine: str
    memory_bytes: int
    price_per_s: float
    stages: tuple[StageSeconds, ...]
    at_s: float = 0.0


@dataclass(frozen=True)
class LinkBelieved:
    """What plans believe of a link; `known` is False where nothing was seen of it and the prior stands in.

    `sigma` is the deviation of the rate's natural logarithm, `age_s` how long ago the link was seen. One that is
    `relayed` leads through the device.
    """

    source: str
    target: str
    bits_per_s: float
    rtt_s: float
    sigma: float
    known: bool
    age_s: float = 0.0
    relayed: bool = False
    at_s: float = 0.0


@dataclass(frozen=True)
class LinkProbed:
    """A short train of `bytes` came from `source` to `target` within `seconds`; `broken_off`: not all of it did."""

    source: str
    target: str
    bytes: int
    seconds: float
    at_s: float
    broken_off: bool = False


@dataclass(frozen=True)
class RoundTrip:
    """A byte went to `node` and came back within `seconds`."""

    node: str
    seconds: float
    at_s: float


@dataclass(frozen=True)
class TelemetryHeard:
    """How a node says that it is, when that has changed: the known readings by the names of Telemetry's fields.

    A temperature below 0 Celsius stands as 0. `resident` are the weights that are loaded.
    """

    node: str
    readings: dict[str, float]
    resident: tuple[str, ...] = ()
    draining: bool = False
    at_s: float = 0.0


@dataclass(frozen=True)
class NodeLost:
    """The job goes on without a node, and why."""

    node: str
    reason: str = ""
    at_s: float = 0.0


@dataclass(frozen=True)
class NodeBack:
    """A node that was lost may be used again."""

    node: str
    at_s: float = 0.0


Observed = NodeDescribed | LinkBelieved | LinkProbed | RoundTrip | TelemetryHeard | NodeLost | NodeBack
