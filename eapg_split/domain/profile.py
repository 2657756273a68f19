"""What the steps of each stage cost one node with one engine and one set of weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class StageCost:
    """A step of `flops` takes overhead_s + flops / flops_per_s seconds at full clock.

    The first step of the stage on a node takes entry_flops / entry_flops_per_s besides (see Stage.entry_flops).
    `load_s` is what the first step waits for its weights; `joules_per_s` is None where no meter can be read. An
    `uncertain` cost comes from a roofline instead of a measurement. Raises InvalidRequest for impossible numbers.
    """

    overhead_s: float
    flops_per_s: float
    load_s: float = 0.0
    memory_bytes: int = 0
    joules_per_s: float | None = None
    uncertain: bool = False
    entry_flops_per_s: float = math.inf

    def __post_init__(self) -> None:
        numbers = (self.overhead_s, self.load_s, self.memory_bytes, self.joules_per_s or 0.0)
        finite = all(0 <= value < math.inf for value in numbers)
        if not (0 < self.flops_per_s < math.inf and finite and self.entry_flops_per_s > 0):
            raise InvalidRequest("A profile holds a cost that is impossible: measure again, with 'profile'.")

    def seconds(self, flops: float) -> float:
        """One step of so many operations."""
        return self.overhead_s + flops / self.flops_per_s

    def entry_seconds(self, entry_flops: float) -> float:
        """What the first step of the stage on a node takes besides."""
        return entry_flops / self.entry_flops_per_s


@dataclass(frozen=True, slots=True)
class Profile:
    """A node's costs by the name of the stage; what is not there has not been measured."""

    node: NodeId
    engine: str
    fingerprint: str
    stages: Mapping[str, StageCost] = field(default_factory=lambda: MappingProxyType({}))
