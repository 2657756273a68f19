"""What a line of a simulation's record may be: `at_s`, in seconds from the beginning, `event`, and these fields.

The docstrings are the descriptions of the JSON Schema, which is made from these classes.
"""

import re
from dataclasses import dataclass
from typing import Final, get_args

from simulations import outcomes

FORMAT: Final = "eapg-split simulation record"
VERSION: Final = 1


@dataclass(frozen=True)
class Run:
    """The first line. `policy` is empty where each kind of job has its own; `until_s` is 0 where nothing limits it.

    `demands` has, for each kind of job, the stages with their first step and the first one after them.
    """

    format: str
    version: int
    policy: str
    seed: int
    until_s: float
    demands: dict[str, tuple[tuple[str, int, int], ...]]


@dataclass(frozen=True)
class Job:
    """A job came. Jobs are numbered in the order in which they come."""

    job: int
    policy: str
    device: str
    demand: str


@dataclass(frozen=True)
class Plan:
    """A job has a plan: nodes with the first step and the first one after it. `reason` is empty for the first plan."""

    job: int
    segments: tuple[tuple[str, int, int], ...]
    reason: str


@dataclass(frozen=True)
class Step:
    """The device learns that a step is done, and how many seconds it took."""

    job: int
    step: int
    node: str
    seconds: float


@dataclass(frozen=True)
class Hop:
    """A state has gone from one node to another: bytes on the wire, and seconds from the first to the last."""

    job: int
    source: str
    target: str
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Lost:
    """A segment is lost, or was refused; it is tried again."""

    job: int
    node: str
    why: str


@dataclass(frozen=True)
class End:
    """What became of a job. One that is `open` was still running when the simulation ended.

    `energy_j` is of its device, `sent_bytes` went over links; `switches` counts changes of its plan, `failures`
    segments that were lost or refused, `nodes` has who computed, in order.
    """

    job: int
    policy: str
    device: str
    demand: str
    began_s: float
    latency_s: float
    end: outcomes.End
    energy_j: float
    money: float
    sent_bytes: float
    switches: int
    failures: int
    nodes: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class NodeDown:
    """A node died, or went off because its battery is empty."""

    node: str


@dataclass(frozen=True)
class NodeUp:
    """A node is there again."""

    node: str


@dataclass(frozen=True)
class Medium:
    """From now on a medium carries so many times what it would."""

    medium: str
    factor: float


@dataclass(frozen=True)
class NodeSample:
    """How a node is. What is left out is as it was in the sample before, but for `busy`, which is then 0.

    `charge` is a share of the battery, `temperature_c` in Celsius and of the skin, `clock_ratio` what the governor
    leaves of the clock, `busy` the share of its engines' time that they computed since the last sample. Charge is there
    only with a battery, temperature and clock only with heat.
    """

    charge: float = 0.0
    temperature_c: float = 0.0
    clock_ratio: float = 0.0
    busy: float = 0.0


@dataclass(frozen=True)
class Sample:
    """How nodes are, and the bits of each medium since the last sample; what there is nothing to say of is left out."""

    nodes: dict[str, NodeSample]
    bits: dict[str, float]


Line = Run | Job | Plan | Step | Hop | Lost | End | NodeDown | NodeUp | Medium | Sample


def event_of(line: type) -> str:
    """A class's name as it stands in the record: NodeDown is node_down."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", line.__name__).lower()


EVENTS: Final[dict[str, type]] = {event_of(each): each for each in get_args(Line)}
