"""Looks at the plan of a running job again, as the runtime's replanner does, without waiting for anybody."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.domain.session_words import MakePlan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import EapgError, InfeasiblePlan
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import Occasion, PlanView, Trigger
from simulations.asking import Asked
from simulations.flights import Flight
from simulations.views import Views

_STALLED_S: Final = 2.0  # without a byte, before the plan is looked at again


@dataclass(frozen=True)
class Found:
    """A new plan, why, and the step at which it leaves the nodes of what runs."""

    plan: Plan
    reason: str
    stop_step: int


class Replanner:
    """One per job."""

    def __init__(self, asked: Asked, views: Views) -> None:
        self.views = views
        self._asked = asked
        self._decided: Plan | None = None
        self._back: set[NodeId] = set()  # noticed while a segment ran

    @property
    def decided(self) -> bool:
        """Whether the plan that runs is to be replaced when its segment has ended."""
        return self._decided is not None

    def returned(self, left_out: frozenset[NodeId]) -> list[NodeId]:
        """The nodes among those that were lost which may be tried again; told once."""
        back = self._back & left_out
        self._back.clear()
        return sorted(back) + self.views.returned(left_out - back)

    def plan(self, wanted: MakePlan) -> Plan:
        """What was decided while the segment before ran, or else a new plan. Raises InfeasiblePlan."""
        view = self.views.at(wanted.start_step, wanted.unavailable, waiting=wanted.waiting)
        decided, self._decided = self._decided, None
        plan = None if decided is None else _still_legal(view, decided)
        if plan is None:
            plan = self._asked.plan(view)
            self.views.planned()
        return plan

    def look(self, flight: Flight, occasion: Occasion, *, at_boundary: bool = False) -> Found | None:
        """Asks the policy about what is left; None where nothing changes."""
        step = flight.next_boundary(at_boundary=at_boundary)
        if not self._asked.revises or step >= self.views.last_step:
            return None
        transfer = self.views.transfer(flight)
        there = transfer is None and not flight.own and flight.segment.start_step < step < flight.stop_step
        holder = flight.node_at(step - 1) if there else None
        view = self.views.at(step, flight.unavailable, at=holder, in_flight=transfer)
        current = flight.plan
        if self._decided is not None and self._decided.start_step <= step:
            current = self._decided
        try:
            revision = self._asked.revise(view, current, occasion)
            kept = rest_of(view, current)
        except InfeasiblePlan:
            return None  # the segment that runs goes on: what follows may have changed by then
        plan = revision.plan
        if plan is None or (plan.segments, plan.cuts) == (kept.segments, kept.cuts):
            return None
        self.views.planned()
        self._decided = plan
        reason = f"{occasion.reason} {revision.reason}".strip()
        return Found(plan, reason, flight.parts_at(plan, step))

    def noticed(self, flight: Flight | None) -> Iterator[Occasion]:
        """What nobody tells: nodes that fell silent or may be tried again, a hand-off that stands still."""
        if not self._asked.revises:
            return
        yield from tuple(self.views.silences())
        if flight is None:
            return
        for node in self.views.returned(flight.unavailable):
            self._back.add(node)
            flight.unavailable -= {node}
            yield Occasion(Trigger.NODE, f"{node}, which was lost, may be tried again.", node)
        transfer = self.views.transfer(flight)
        if transfer is not None and transfer.stalled_s >= _STALLED_S:
            words = f"Nothing has gone from {transfer.source} to {transfer.target} for {transfer.stalled_s:.1f} s."
            yield Occasion(Trigger.STALL, words, transfer.target)


def _still_legal(view: PlanView, plan: Plan) -> Plan | None:
    try:
        return check_plan(view, rest_of(view, plan))
    except EapgError:
        return None
