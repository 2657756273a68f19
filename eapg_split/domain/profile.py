"""What the steps of each stage cost one node with one engine and one set of weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class StageCost:
    """A step of `flops` takes overhead_s + flops / flops_per_s seconds at full clock.

    `load_s` is what the first step waits for its weights; `joules_per_s` is None where no meter can be read.
    An `uncertain` cost comes from a roofline instead of a measurement. Raises InvalidRequest for impossible numbers.
    """

    overhead_s: float
    flops_per_s: float
    load_s: float = 0.0
    memory_bytes: int = 0
    joules_per_s: float | None = None
    uncertain: bool = False

    def __post_init__(self) -> None:
        numbers = (self.overhead_s, self.load_s, self.memory_bytes, self.joules_per_s or 0.0)
        if not (0 < self.flops_per_s < float("inf") and all(0 <= value < float("inf") for value in numbers)):
            raise InvalidRequest("A profile holds a cost that is impossible: measure again, with 'profile'.")

    def seconds(self, flops: float) -> float:
        """One step of so many operations."""
        return self.overhead_s + flops / self.flops_per_s


@dataclass(frozen=True, slots=True)
class Profile:
    """A node's costs by the name of the stage; what is not there has not been measured."""

    node: NodeId
    engine: str
    fingerprint: str
    stages: Mapping[str, StageCost] = field(default_factory=lambda: MappingProxyType({}))
