"""What became of a job."""

from dataclasses import dataclass, field
from enum import StrEnum

from eapg_split.domain.topology import NodeId


class End(StrEnum):
    """How a job ended."""

    DONE = "done"
    FAILED = "failed"
    LATE = "late"  # its deadline passed
    OPEN = "open"  # the simulation ended before it did


Placed = tuple[tuple[str, int], ...]
"""The nodes of a plan in their order, each with the first step that is not its."""


def switches(before: Placed, now: Placed, start_step: int) -> bool:
    """Whether a plan from `start_step` on computes elsewhere than the one before it said; the first plan is none."""
    return bool(before) and now != tuple(part for part in before if part[1] > start_step)


@dataclass
class Outcome:
    """One job, in seconds, joules of its device, money and bytes that went over links for it."""

    job: int
    demand: str
    policy: str
    device: NodeId
    began_s: float
    ended_s: float = 0.0
    end: End = End.OPEN
    energy_j: float = 0.0
    money: float = 0.0
    sent_bytes: float = 0.0
    switches: int = 0
    failures: int = 0  # segments that were lost or refused
    policy_failures: int = 0
    why: str = ""
    nodes: list[NodeId] = field(default_factory=list)  # who computed, in order

    @property
    def latency_s(self) -> float:
        return self.ended_s - self.began_s

    def as_line(self) -> dict[str, object]:
        """What a record says of it when it ends."""
        return {
            "policy": self.policy,
            "device": self.device,
            "demand": self.demand,
            "began_s": self.began_s,
            "latency_s": round(self.latency_s, 6),
            "end": self.end,
            "energy_j": round(self.energy_j, 6),
            "money": round(self.money, 9),
            "sent_bytes": round(self.sent_bytes),
            "switches": self.switches,
            "failures": self.failures,
            "nodes": self.nodes,
            "why": self.why,
        }
