"""What goes wrong: nodes that die and come back, media that carry less or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eapg_split.domain.topology import NodeId


@dataclass(frozen=True)
class Fault:
    """A node that is down, or a medium that carries `factor` of its rate, from `at_s` for `lasts_s` seconds.

    With `every_s` it comes again and again: both times are then means of exponential ones.
    """

    at_s: float = 0.0
    lasts_s: float = 10.0
    node: NodeId | None = None
    medium: str | None = None
    factor: float = 0.0
    every_s: float | None = None


class Time(Protocol):
    """Virtual or real."""

    @property
    def now_s(self) -> float: ...

    def at(self, when_s: float, call: Callable[[Any], None], argument: Any = None) -> None:
        """Calls at a moment."""
        ...


class Struck(Protocol):
    """What can suffer faults."""

    @property
    def kernel(self) -> Time: ...

    def down(self, name: NodeId) -> None:
        """A node dies."""
        ...

    def up(self, name: NodeId) -> None:
        """A node is there again."""
        ...

    def throttle(self, medium: str, factor: float) -> None:
        """A medium carries so many times what it would."""
        ...


def arm(world: Struck, fault: Fault, draws: np.random.Generator) -> None:
    """Lets the fault happen in the world."""
    kernel = world.kernel

    def strike(_: object) -> None:
        lasts_s = fault.lasts_s if fault.every_s is None else float(draws.exponential(fault.lasts_s))
        if fault.node is not None:
            world.down(fault.node)
        if fault.medium is not None:
            world.throttle(fault.medium, fault.factor)
        kernel.at(kernel.now_s + lasts_s, mend)

    def mend(_: object) -> None:
        if fault.node is not None:
            world.up(fault.node)
        if fault.medium is not None:
            world.throttle(fault.medium, 1.0)
        if fault.every_s is not None:
            kernel.at(kernel.now_s + float(draws.exponential(fault.every_s)), strike)

    first_s = 0.0 if fault.every_s is None else float(draws.exponential(fault.every_s))
    kernel.at(fault.at_s + first_s, strike)
