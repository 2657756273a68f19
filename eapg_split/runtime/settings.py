"""What a daemon is told before it starts. Read from TOML and flags by `eapg_split.config`, checked here."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.link_rates import Network

MAX_PRICE_PER_S: Final = 1e6


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of TLS: who signs (`ca`), who this node is (`cert`), and its private `key`; these two may be absent.

    Without them a caller shows a token instead; a daemon that listens needs them.
    """

    ca: Path
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise InvalidRequest(
                "TLS needs a certificate and its key, or neither of them: add the other one."
            )

    @property
    def paths(self) -> tuple[Path | None, ...]:
        """The three files, in the order of the fields."""
        return self.ca, self.cert, self.key


class PolicyCode(StrEnum):
    """From whom a daemon takes policies as `module:Class` or a path: such code runs with the daemon's rights."""

    LOCAL = "local"  # callers on this machine
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True)
class PeerAddress:
    """Where another daemon listens. `address` is HOST:PORT, or `@FILE` for the ready file that it writes.

    `name` is only for messages while the node has not been reached; its own Describe says who it is.
    """

    name: str
    address: str


@dataclass(frozen=True)
class Limits:
    """Bounds of one daemon; what lies beyond is refused with CapacityExceeded before anything is allocated."""

    sessions: int = 4  # that run at once
    queued: int = 16  # segments that wait for a place
    memory_bytes: int = 0  # of all segments together; 0 is four fifths of what there is, see runtime.memory
    payload_bytes: int = 2**31  # of one hand-off, coded
    in_flight_bytes: int = 2**32  # of the states of all sessions
    kept_result_bytes: int = 64 * 2**20
    held_state_bytes: int = 64 * 2**20
    kept_result_s: float = 120.0  # how long results and states are kept for a sender that comes back
    arrival_s: float = 30.0  # longest silence in the middle of a hand-off that arrives
    queued_jobs: int = 16  # that wait on a device beside those that run
    kept_jobs_s: float = 86400.0  # how long a device keeps a job that has ended, with its output
    kept_output_bytes: int = 256 * 2**20  # of all of these but the last

    def __post_init__(self) -> None:
        kept = min(
            self.kept_result_bytes,
            self.held_state_bytes,
            self.queued_jobs,
            self.kept_jobs_s,
            self.kept_output_bytes,
        )
        positive = min(self.sessions, self.payload_bytes, self.in_flight_bytes, self.arrival_s)
        if positive <= 0 or min(kept, self.queued, self.memory_bytes) < 0:
            raise InvalidRequest("Limits must be positive numbers: correct [limits] in the configuration.")


class LogFormat(StrEnum):
    """How a log is written."""

    TEXT = "text"
    JSON = "json"


LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Observe:
    """How a daemon is watched: `metrics` is HOST:PORT, `traces` is file:PATH or otlp:URL; empty is not at all."""

    metrics: str = ""
    metrics_public: bool = False  # also where other machines can read them
    traces: str = ""
    log_format: LogFormat = LogFormat.TEXT
    log_level: str = "warning"

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise InvalidRequest(
                f"There is no log level {self.log_level!r}: choose one of {', '.join(LOG_LEVELS)}."
            )


@dataclass(frozen=True)
class DaemonSettings:
    """One node's configuration. `engine` is a kind ("onnx", "torch") or `module:callable` that opens one."""

    node: NodeId
    tier: Tier
    listen: str = "127.0.0.1:0"
    peers: tuple[PeerAddress, ...] = ()
    engine: str = "onnx"
    threads: int = 0  # 0 lets the engine choose
    weights: Path | None = None
    profile: Path | None = None  # None is the node's own, in the default place
    state: Path | None = None  # where a device keeps its jobs; None is the node's own, in the default place
    tls: TlsFiles | None = None
    insecure: bool = False
    tokens: Path | None = None  # the join tokens that are taken, instead of certificates
    token_file: Path | None = None  # the token that is shown to other nodes
    policy_code: PolicyCode = PolicyCode.LOCAL
    ready_file: Path | None = None
    parent: int | None = None  # exit when this process is gone
    drain_s: float = 10.0
    limits: Limits = field(default_factory=Limits)
    price_per_s: float = 0.0  # money for a second of computing, in the unit of whoever compares nodes
    telemetry: str = "auto"  # where it comes from, see runtime.telemetry.choice
    network: Network = field(default_factory=Network)
    observe: Observe = field(default_factory=Observe)

    def __post_init__(self) -> None:
        if not 0 <= self.price_per_s <= MAX_PRICE_PER_S:
            raise InvalidRequest(
                f"price_per_s must be from 0 to {MAX_PRICE_PER_S:g}: correct the configuration."
            )
