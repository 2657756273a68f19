"""What is believed of nodes, links and codecs at the moment of planning, in the units that the costs are made of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from eapg_split.domain.topology import NodeId
from eapg_split.planner.models.thermal import ThermalModel


@dataclass(frozen=True, slots=True)
class NodeEstimate:
    """One node, now.

    `step_s` has one entry for each step of the workload: seconds on this node as fast as it is now (throttling and
    other load are in it), infinite where it cannot. `entry_s[i]` comes on top when the state arrives before step i from
    another node in the middle of a stage: what the steps of a stage share must be computed anew there, at the last
    stage ten steps' worth. It is 0 at the first step of a stage, whose `step_s` holds that cost on any node.
    `ready_s` is how long from now until it could start: queue, lease and weights that it still has to load. Watts and
    joules are of its battery: 0 and infinite on mains.
    """

    step_s: tuple[float, ...]
    ready_s: float = 0.0
    active_w: float = 0.0  # drawn while it computes
    idle_w: float = 0.0  # drawn while it waits for others
    price_per_s: float = 0.0  # money for a second of computing
    battery_j: float = math.inf  # that may be spent before the battery's floor
    max_entropy_bits: float = math.inf  # of a state that it takes on, see Estimates.entropy_bits
    temperature_c: float = math.nan
    uncertain: bool = False
    entry_s: tuple[float, ...] = ()  # one for each step, or none at all
    charge: float = math.nan  # of its battery, 0 to 1
    heat: ThermalModel | None = None  # how it warms and slows from temperature_c on; None: it does not


@dataclass(frozen=True, slots=True)
class LinkEstimate:
    """One direction of a link. `sigma` is the deviation of the rate's natural logarithm."""

    bits_per_s: float
    rtt_s: float = 0.0
    sigma: float = 0.0
    joules_per_byte: float = 0.0  # that the device's radio spends


@dataclass(frozen=True, slots=True)
class CodecEstimate:
    """One codec. `bits` has an entry for each boundary 0 to S: the coded state before that step."""

    name: str
    bits: tuple[float, ...]
    encode_s: tuple[float, ...]  # processor time at each boundary
    decode_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Estimates:
    """Everything that a cost is computed from. A link that is missing cannot be used."""

    nodes: Mapping[NodeId, NodeEstimate]
    links: Mapping[tuple[NodeId, NodeId], LinkEstimate] = field(default_factory=lambda: MappingProxyType({}))
    codecs: tuple[CodecEstimate, ...] = ()  # that the job allows, cheapest is taken on each cut
    # what there is to know of the state before each step 0 to S, in bits; without it, its size in the tightest codec
    entropy_bits: tuple[float, ...] = ()
