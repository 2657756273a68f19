"""What is fitted to real runs: what stages cost a node, what a link carries, and how far the runs are from that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eapg_split.domain.topology import Ends, NodeId, Tier
from simulations.strain import Strain


@dataclass(frozen=True)
class StageFit:
    """Operations a second of a stage's steps, and of what its first step on a node computes besides (None: not seen).

    `step_s` is the median step of the runs, `spread` the deviation of its logarithm, out of `count` steps and `entries`
    first ones.
    """

    flops_per_s: float
    entry_flops_per_s: float | None
    step_s: float
    spread: float
    count: int
    entries: int


@dataclass(frozen=True)
class NodeFit:
    """A node by what it computed: `pause_s` passes between two of its steps, `load_s` to load a stage's weights.

    `noise` is the deviation of the logarithm of its steps, `strain` how heat slows it down and what it draws.
    """

    id: NodeId
    tier: Tier
    price_per_s: float
    memory_bytes: int | None
    load_s: float
    pause_s: float
    noise: float
    stages: Mapping[str, StageFit]
    strain: Strain


@dataclass(frozen=True)
class LinkFit:
    """One direction of a link: mean rate, deviation of its logarithm, seconds for which it stays (0: not known)."""

    ends: Ends
    bits_per_s: float
    sigma: float
    memory_s: float
    delay_s: float
    count: int


@dataclass(frozen=True)
class Residual:
    """How far what was measured is from the model: median and 95th percentile of the relative error."""

    what: str
    count: int
    median: float
    p95: float


def residual(what: str, errors: Sequence[float]) -> Residual:
    """Of relative errors, whichever their sign."""
    absolute = np.abs(np.array(errors))
    return Residual(what, len(errors), float(np.median(absolute)), float(np.percentile(absolute, 95)))
