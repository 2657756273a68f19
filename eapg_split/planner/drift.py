"""How far the steps of a node are from what its profile says: a factor for each node and stage, learned as they run."""

import math
from dataclasses import dataclass, field
from typing import Final

from eapg_split.domain.topology import NodeId

_GAIN: Final = 0.3  # of the newest step in the long run
_BELIEF: Final = 2.0  # a measured profile counts as so many steps before the first one
_UNCERTAIN_BELIEF: Final = 1.0  # one from a roofline: the first step replaces it
_BORROWED: Final = 0.5  # of the node's other stages' drift, in logarithms, for a stage that has not run yet
_SHORT_S: Final = (
    0.05  # a step of so many seconds counts half: what disturbs one costs about as much as it does
)
_LARGEST: Final = 16.0  # a single step that is off by more says nothing about the next one
_DRIFTED: Final = math.log(1.25)


@dataclass(frozen=True, slots=True)
class _Mean:
    """An exponentially weighted mean of logarithms, after `count` steps."""

    log_factor: float = 0.0
    count: int = 0

    def after(self, log_ratio: float, belief: float, weight: float) -> "_Mean":
        gain = weight * max(_GAIN, 1 / (self.count + belief))
        return _Mean(self.log_factor + gain * (log_ratio - self.log_factor), self.count + 1)


@dataclass(slots=True)
class _Factors:
    stages: dict[tuple[NodeId, str], _Mean] = field(default_factory=dict)
    nodes: dict[NodeId, _Mean] = field(default_factory=dict)

    def log_factor(self, node: NodeId, stage: str) -> float:
        own = self.stages.get((node, stage))
        return own.log_factor if own else _BORROWED * self.nodes.get(node, _Mean()).log_factor


class Drift:
    """Belongs to one job, or to a device for all of its jobs. Pure: it is told what was measured.

    The means are of logarithms, so that twice as slow and twice as fast weigh alike.
    """

    def __init__(self) -> None:
        self._now = _Factors()
        self._believed = _Factors()

    def observe(
        self, node: NodeId, stage: str, *, predicted_s: float, measured_s: float, uncertain: bool = False
    ) -> None:
        """Takes one step that computed and waited for nothing.

        `predicted_s` is what was expected of it without any drift; `uncertain` says that this came from a roofline.
        Short steps weigh less, such as the text step, which warms the engine up. What is not a positive number is
        passed over.
        """
        if not (0 < predicted_s < math.inf and 0 < measured_s < math.inf):
            return
        log_ratio = math.log(min(_LARGEST, max(1 / _LARGEST, measured_s / predicted_s)))
        belief = _UNCERTAIN_BELIEF if uncertain else _BELIEF
        factors = self._now
        weight = predicted_s / (predicted_s + _SHORT_S)
        own = factors.stages.get((node, stage), _Mean(factors.log_factor(node, stage)))
        factors.stages[node, stage] = own.after(log_ratio, belief, weight)
        factors.nodes[node] = factors.nodes.get(node, _Mean()).after(log_ratio, belief, weight)

    def factor(self, node: NodeId, stage: str) -> float:
        """What the stage's predicted seconds on the node are to be multiplied by; 1 where nothing is known."""
        return math.exp(self._now.log_factor(node, stage))

    def drifted(self, node: NodeId, stage: str) -> bool:
        """Whether the factor is off by more than a quarter from the one at the last `rebase`."""
        off = self._now.log_factor(node, stage) - self._believed.log_factor(node, stage)
        return abs(off) > _DRIFTED

    def rebase(self) -> None:
        """A plan was made with the factors as they are now."""
        self._believed = _Factors(dict(self._now.stages), dict(self._now.nodes))
