"""What a worker is given: who its node is, what it computes with, and the bounds that hold there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from eapg_split.codecs.base import Codec
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.planner.link_rates import Network
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.instruments import SILENT, Instruments
from eapg_split.runtime.own_profile import ProfileHome
from eapg_split.runtime.settings import Limits
from eapg_split.runtime.telemetry.source import NoSensors, OpenTelemetry


@dataclass(frozen=True)
class WorkerSetup:
    """Who the node is and what it works with; `open_engine` is called at first need, in the engine's thread."""

    node: NodeId
    tier: Tier
    version: Callable[[], str]
    codecs: Mapping[str, Codec]
    open_engine: Callable[[], Engine]
    limits: Limits
    price_per_s: float = 0.0
    open_telemetry: OpenTelemetry = NoSensors
    network: Network = field(default_factory=Network)
    profile_home: ProfileHome | None = None  # None keeps no profile on disk
    instruments: Instruments = SILENT
