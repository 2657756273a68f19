"""Looks at the plan of a running job again, as the runtime's replanner does, without waiting for anybody."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.domain.session_words import MakePlan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.policy import Occasion
from eapg_split.planner.revisions import same, still_legal
from eapg_split.planner.views import Views
from simulations.asking import Asked
from simulations.flights import Flight

LOOK_S: Final = (
    0.0025  # that a look takes live, as measured on two cores: no time passes here, but they are as rare
)


@dataclass(frozen=True)
class Found:
    """A new plan, why, and the step at which it leaves the nodes of what runs."""

    plan: Plan
    reason: str
    stop_step: int


class Replanner:
    """One per job."""

    def __init__(self, asked: Asked, views: Views, clock: Callable[[], float]) -> None:
        self.views = views
        self._asked = asked
        self._clock = clock
        self._decided: Plan | None = None

    @property
    def decided(self) -> bool:
        """Whether the plan that runs is to be replaced when its segment has ended."""
        return self._decided is not None

    def plan(self, wanted: MakePlan) -> Plan:
        """What was decided while the segment before ran, or else a new plan. Raises InfeasiblePlan."""
        view = self.views.at(wanted.start_step, wanted.unavailable, waiting=wanted.waiting)
        decided, self._decided = self._decided, None
        plan = None if decided is None else still_legal(view, decided)
        if plan is None:
            plan = self._asked.plan(view)
            self.views.planned()
        return plan

    def look(self, flight: Flight, occasion: Occasion, *, at_boundary: bool = False) -> Found | None:
        """Asks the policy about what is left; None where nothing changes."""
        transfer = flight.transfer(self._clock())
        moving = transfer is not None
        step = flight.next_boundary(moving=moving, at_boundary=at_boundary)
        if not self._asked.revises or step >= self.views.last_step or not self.views.worth_a_look(occasion):
            return None
        self.views.looked(LOOK_S)
        holder = flight.holder_at(step, moving=moving)
        view = self.views.at(step, flight.unavailable, at=holder, in_flight=transfer)
        current = flight.plan
        if self._decided is not None and self._decided.start_step <= step:
            current = self._decided
        try:
            revision = self._asked.revise(view, current, occasion)
            if revision.plan is None or same(view, current, revision.plan):
                return None
        except InfeasiblePlan:
            return None  # the segment that runs goes on: what follows may have changed by then
        self.views.planned()
        self._decided = revision.plan
        reason = f"{occasion.reason} {revision.reason}".strip()
        return Found(revision.plan, reason, flight.leaves_at(revision.plan, step))

    def noticed(self, flight: Flight | None) -> list[Occasion]:
        """What nobody tells, and is worth a look."""
        if not self._asked.revises:
            return []
        return self.views.noticed(flight, None if flight is None else flight.transfer(self._clock()))
