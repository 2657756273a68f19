"""How long the segments on this node will still take: what a segment that arrives now has before it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.telemetry import UNKNOWN, Quality, Reading, reading
from eapg_split.domain.workload import Workload
from eapg_split.errors import MAX_RETRY_AFTER_S

_WEIGHT: Final = 0.3  # of the newest step
_MOST: Final = 256  # stages, and segments
_LEAST_RETRY_S: Final = 1.0  # also where nothing is known


@dataclass
class _Segment:
    workload: Workload
    next_step: int
    stop_step: int


class Backlog:
    """One per worker. It learns how fast each stage runs here from the steps that were run."""

    def __init__(self) -> None:
        self._segments: dict[str, _Segment] = {}
        self._seconds_per_flop: dict[str, float] = {}

    def expect(self, session: str, workload: Workload, start_step: int, stop_step: int) -> None:
        """The session has these steps to do here, or will have; the latest word counts."""
        self._segments.pop(session, None)
        self._segments[session] = _Segment(workload, start_step, stop_step)
        if len(self._segments) > _MOST:
            del self._segments[next(iter(self._segments))]

    def stepped(self, session: str, step: int, seconds: float) -> None:
        """A step of the session is over; it took so long."""
        segment = self._segments.get(session)
        if segment is None or seconds <= 0:
            return
        segment.next_step = step + 1
        self._segments[session] = self._segments.pop(
            session
        )  # whoever is heard of longest ago is forgotten first
        stage = segment.workload.stage_of(step)
        cost = seconds / max(1.0, stage.flops_per_step)
        before = self._seconds_per_flop.pop(stage.name, cost)
        self._seconds_per_flop[stage.name] = before + _WEIGHT * (cost - before)
        if len(self._seconds_per_flop) > _MOST:
            del self._seconds_per_flop[next(iter(self._seconds_per_flop))]

    def stage_at(self, session: str, step: int) -> str:
        """What a step of a session's workload belongs to; empty where the session is not known any more."""
        segment = self._segments.get(session)
        return "" if segment is None else segment.workload.stage_of(step).name

    def queue_s(self, sessions: Collection[str]) -> Reading:
        """Seconds of work that those sessions, which run or wait here, still have: one step is computed at a time.

        UNKNOWN before any step was run.
        """
        segments = [self._segments[session] for session in sessions if session in self._segments]
        if not segments:
            return Reading(0.0, Quality.MEASURED)
        if not self._seconds_per_flop:
            return UNKNOWN
        return reading("queue_s", sum(map(self._seconds, segments)), Quality.MODELLED)

    def retry_after_s(self, sessions: Collection[str]) -> float:
        """When whoever finds those sessions before it may come again: once they should be done, a second at least."""
        seconds = sum(self._seconds(self._segments[each]) for each in sessions if each in self._segments)
        return min(MAX_RETRY_AFTER_S, max(_LEAST_RETRY_S, seconds))

    def forget(self, session: str) -> None:
        """The session has nothing to do here any more."""
        self._segments.pop(session, None)

    def _seconds(self, segment: _Segment) -> float:
        costs = self._seconds_per_flop
        typical = sum(costs.values()) / len(costs) if costs else 0.0
        stages = (segment.workload.stage_of(step) for step in range(segment.next_step, segment.stop_step))
        return sum(max(1.0, stage.flops_per_step) * costs.get(stage.name, typical) for stage in stages)
