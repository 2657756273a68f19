"""Why a plan is as it is: every leg in numbers, the runner-up, what binds, and what was only assumed."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.arrays import SIGMAS_95
from eapg_split.planner.cost import CostTables
from eapg_split.planner.policy import PlanView
from eapg_split.planner.solve import Solution, appraise, price, solve
from eapg_split.planner.walk import Leg, Score
from eapg_split.planner.weights import Weights

UNSURE_SIGMA = 0.5  # a link whose rate may well be half of what is believed, or double


@dataclass(frozen=True, slots=True)
class Term:
    """One leg of a plan in seconds, joules of the device, and money; what it does not have is 0."""

    node: NodeId
    start_step: int
    stop_step: int
    source: NodeId
    codec: str
    bits: float
    encode_s: float
    send_s: float
    rtt_s: float
    decode_s: float
    move_s: float  # less than the sum of those, for they overlap
    wait_s: float
    entry_s: float
    compute_s: float
    energy_j: float
    money: float
    temperature_c: float | None

    @classmethod
    def of(cls, leg: Leg) -> "Term":
        move = leg.move
        return cls(
            node=leg.node,
            start_step=leg.start_step,
            stop_step=leg.stop_step,
            source=leg.source,
            codec=move.codec,
            bits=move.bits,
            encode_s=move.encode_s,
            send_s=move.send_s,
            rtt_s=move.rtt_s,
            decode_s=move.decode_s,
            move_s=move.seconds,
            wait_s=leg.wait_s,
            entry_s=leg.entry_s,
            compute_s=leg.compute_s,
            energy_j=leg.joules,
            money=leg.money,
            temperature_c=None if math.isnan(leg.temperature_c) else leg.temperature_c,
        )


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another plan and how much it is behind in the objective, as a share of that of the plan which is explained.

    A negative share says that it is better.
    """

    plan: Plan
    score: Score
    behind: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A plan explained. `assumptions` are sentences about estimates that were not measured or are unsure.

    `exact` says that no plan is better; then `runner_up` is the second best, else the best. Only of an exact plan there
    is a limit to name in `binding`.
    """

    plan: Plan
    score: Score
    goal: str
    weights: Weights
    terms: tuple[Term, ...]
    runner_up: Alternative | None
    binding: str
    assumptions: tuple[str, ...]
    exact: bool = True

    def as_dict(self) -> dict[str, object]:
        """What JSON can hold: numbers that are infinite become null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def explain(view: PlanView, solution: Solution) -> Explanation:
    """All that is known of why the solution is the best plan for its view."""
    return _explained(view, solution, solution)


def explain_plan(view: PlanView, plan: Plan) -> Explanation:
    """Explains a plan that any policy made, under the view's estimates; its score says where it breaks a limit.

    Raises InfeasiblePlan for one with a step or a move that no estimate allows.
    """
    tables = CostTables.of(view)
    made = appraise(view, plan, tables)
    try:
        best = solve(view, tables)
    except InfeasiblePlan:
        best = None
    return _explained(view, made, best if best is not None and best.path == made.path else None)


def _explained(view: PlanView, solution: Solution, best: Solution | None) -> Explanation:
    """`best` is the solution as `solve` finds it, None where the plan is not the best one."""
    return Explanation(
        plan=solution.plan,
        score=solution.score,
        goal=str(view.objective.goal),
        weights=solution.weights,
        terms=tuple(Term.of(leg) for leg in solution.walked.legs),
        runner_up=_runner_up(view, best or solution, solution.walked.score.objective),
        binding="" if best is None else best.binding,
        assumptions=tuple(_assumptions(solution)),
        exact=best is not None,
    )


def _runner_up(view: PlanView, solution: Solution, objective: float) -> Alternative | None:
    other = solution.runner_up
    if other is None:
        return None
    score = price(view, other)
    return Alternative(other, score, (score.objective - objective) / objective if objective > 0 else 0.0)


def _assumptions(solution: Solution) -> Iterator[str]:
    """What the plan rests on without a measurement."""
    estimates = solution.tables.estimates
    for name in dict.fromkeys(leg.node for leg in solution.walked.legs):
        node = estimates.nodes.get(name)
        if node is not None and node.uncertain:
            yield f"The speed of {name} was not measured but computed from what its steps need."
    for leg in solution.walked.legs:
        link = estimates.links.get((leg.source, leg.node))
        if leg.source != leg.node and link is not None and link.sigma >= UNSURE_SIGMA:
            low = link.bits_per_s * math.exp(-SIGMAS_95 * link.sigma)
            yield (
                f"The link from {leg.source} to {leg.node} is believed to carry {_mbit(link.bits_per_s)} Mbit/s, "
                f"and may carry {_mbit(low)}."
            )


def _mbit(bits_per_s: float) -> str:
    """Two or three digits, and never a power of ten."""
    mbit = bits_per_s / 1e6
    return f"{mbit:.2g}" if mbit < 99.5 else f"{mbit:.0f}"


def _plain(value: object) -> object:
    """Without infinite numbers, of which JSON knows nothing."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
