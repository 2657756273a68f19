"""The policy of the product: the exact optimum, looked at again whenever something happens.

The rules are R3 and R5 of the planning note: a plan is replaced only by one that is a tenth better under the same
estimates, so that under fixed ones every switch saves at least a tenth of what is left and staying costs at most
1 / (1 - 0.1) = 1.11 times the best; and a transfer that stands still is given up as one gives up renting skis, when
half of what the alternative costs has been waited. What was spent on steps is never counted; what is left to send is.
"""

from dataclasses import dataclass, replace
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import Ends
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.cost import CostTables
from eapg_split.planner.news import STALLED_S
from eapg_split.planner.optimal import best, unmeasured_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import Occasion, PlanView, Revision, Transfer
from eapg_split.planner.revisions import illegal, same
from eapg_split.planner.solve import Solution, price

HYSTERESIS: Final = 0.1  # the share of what is left that a switch must save
SHARE_OF_ALTERNATIVE: Final = 0.5  # waiting longer than this part of the alternative is not worth it
_BAN_S: Final = 10.0  # a link that stalled is left alone for so long at first, then twice as long
_LONGEST_BAN_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Ban:
    since_s: float
    length_s: float

    @property
    def until_s(self) -> float:
        return self.since_s + self.length_s


class DpAdaptivePolicy:
    """The best plan by the latest estimates, revised at every step boundary and event; moves only for 10 % or more."""

    name = "dp-adaptive"

    def __init__(self) -> None:
        self._bans: dict[Ends, _Ban] = {}
        self._made: tuple[PlanView, CostTables] | None = None  # of the look that goes on now

    def tables(self, view: PlanView) -> CostTables:
        """The costs that plans are made and compared with. Subclasses add penalties to them."""
        return CostTables.of(view)

    def plan(self, view: PlanView) -> Plan:
        self._made = None
        if view.start_step == 0:
            self._bans.clear()
        if view.estimates is None:
            return unmeasured_plan(view)
        return self._best(view).plan

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        del occasion
        self._made = None
        if view.estimates is None:
            why = illegal(view, current)
            return Revision(unmeasured_plan(view), why) if why else Revision(None, "Nothing was measured.")
        stalled = self._stalled(view)
        if stalled is not None:
            return stalled
        why = illegal(view, current)
        try:
            found = self._best(view)
        except InfeasiblePlan as error:
            if why:
                raise
            return Revision(None, f"No plan keeps every limit: {error.message}")
        if why:
            return Revision(found.plan, why)
        return self._compared(view, current, found)

    def _tables_of(self, view: PlanView) -> CostTables:
        """`tables`, made once for each view of a look: both plans are priced by the same ones."""
        if self._made is None or self._made[0] is not view:
            self._made = view, self.tables(view)
        return self._made[1]

    def _compared(self, view: PlanView, current: Plan, found: Solution) -> Revision:
        """Rule R3: both plans under the same estimates and limits, and a tenth between them."""
        if same(view, current, found.plan):
            return Revision(None, "The plan is still the best.")
        basis = found.tables.view  # without the deadline where none can keep it
        staying = price(basis, rest_of(view, current), self._tables_of(basis))
        if not staying.feasible:
            return Revision(found.plan, staying.why)
        least = found.score.objective
        saving = 1 - least / staying.objective if staying.objective > 0 else 0.0
        times = f"{found.score.time_s:.3g} s instead of {staying.time_s:.3g} s are left"
        if saving <= HYSTERESIS:
            return Revision(None, f"Another plan would save only {max(0.0, saving):.0%} ({times}).")
        return Revision(found.plan, f"The new plan saves {saving:.0%} ({times}).")

    def _stalled(self, view: PlanView) -> Revision | None:
        """Rule R5 for a transfer on which nothing moves; None leaves the decision to what the estimates say."""
        flight = view.in_flight
        if flight is None or flight.stalled_s < STALLED_S:
            return None
        try:
            instead = self._without(view, [(flight.source, flight.target)])
        except InfeasiblePlan:
            return Revision(None, "Nothing moves, and there is no other way.")
        patience = max(STALLED_S, SHARE_OF_ALTERNATIVE * instead.score.time_s)
        if flight.stalled_s < patience:
            return None
        self._ban(view, flight)
        return Revision(
            instead.plan,
            f"Nothing has moved to {flight.target} for {flight.stalled_s:.1f} s, and the alternative takes "
            f"{instead.score.time_s:.1f} s.",
        )

    def _ban(self, view: PlanView, flight: Transfer) -> None:
        """Leaves the link alone for a while: its last good rate would call us back at the next step."""
        ends = flight.source, flight.target
        before = self._bans.get(ends)
        if before is not None and before.since_s == view.now_s:
            return  # the same look again
        length = _BAN_S if before is None else min(2 * before.length_s, _LONGEST_BAN_S)
        self._bans[ends] = _Ban(view.now_s, length)

    def _best(self, view: PlanView) -> Solution:
        """The optimum without the links that stalled lately, or with them where there is no other way."""
        banned = [ends for ends, ban in self._bans.items() if view.now_s < ban.until_s]
        if banned:
            try:
                return self._without(view, banned)
            except InfeasiblePlan:
                pass
        return best(view, self._tables_of)

    def _without(self, view: PlanView, links: list[Ends]) -> Solution:
        """The optimum over all plans that do not use some links."""

        def tables(view: PlanView) -> CostTables:
            whole = self._tables_of(view)
            open_moves = whole.open_moves.copy()
            for source, target in links:
                if source in whole.nodes and target in whole.nodes:
                    open_moves[:, whole.nodes.index(source), whole.nodes.index(target)] = False
            return replace(whole, open_moves=open_moves)

        return best(view, tables)
