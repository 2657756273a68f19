"""A plan for people: who computes what and what it takes, and with `--explain` why."""

import math
from collections.abc import Iterator, Sequence

from eapg_split.cli.node_rows import battery, percent, shown
from eapg_split.cli.planning.made import MadePlan
from eapg_split.cli.planning.names import amount, brief, rate, share, stages_in, steps_in
from eapg_split.cli.text import duration, size, table
from eapg_split.domain.telemetry import Telemetry
from eapg_split.planner.explain import Alternative, Explanation, Term
from eapg_split.planner.walk import Score

_NOTHING = "-"
_CLEAR = 0.005  # a better plan is told of when it is better by so much


def words(made: MadePlan, *, explain: bool) -> str:
    """Everything as text."""
    parts = [_segments(made)]
    explanation = made.explanation
    if explanation is not None and (moves := [term for term in explanation.terms if term.codec]):
        parts.append(_moves(moves))
    parts.append("\n".join(_summary(made, explain=explain)))
    if explain:
        if explanation is not None:
            parts.append(_terms(made, explanation))
        parts.append("\n".join(_reasons(made)))
        parts += [_nodes(made), _links(made)]
    return "\n\n".join(part for part in parts if part)


def _segments(made: MadePlan) -> str:
    """What runs where; without estimates that allow it, without seconds."""
    legs = {} if made.explanation is None else {leg.start_step: leg for leg in _computing(made.explanation)}
    rows = []
    for part in made.plan.segments:
        leg = legs.get(part.start_step)
        rows.append(
            (
                steps_in(part.start_step, part.stop_step),
                stages_in(made.workload, part.start_step, part.stop_step),
                part.node,
                _NOTHING if leg is None else duration(leg.wait_s),
                _NOTHING if leg is None else duration(leg.compute_s),
            )
        )
    return table(("steps", "stages", "node", "waits", "computes"), rows)


def _moves(moves: Sequence[Term]) -> str:
    rows = [
        (
            f"{term.start_step}" if term.start_step < term.stop_step else "the end",
            term.source,
            term.node,
            "the prompt" if term.start_step == 0 else term.codec,
            size(math.ceil(term.bits / 8)),
            duration(term.move_s),
        )
        for term in moves
    ]
    return table(("before step", "from", "to", "codec", "size", "time"), rows)


def _summary(made: MadePlan, *, explain: bool) -> Iterator[str]:
    goal = made.view.objective.goal
    if made.warning:
        yield made.warning
    yield from made.plan.notes
    if math.isfinite(made.score.time_s):
        yield f"{made.planner}, for {goal}: {_score(made.score)}."
    if not made.score.feasible:
        yield f"By what is believed now it cannot be kept: {made.score.why}"
    explanation = made.explanation
    if explanation is not None and not explain:
        better = explanation.runner_up
        if better is not None and better.behind < -_CLEAR and better.score.feasible:
            yield f"The best plan is {share(-better.behind)} better ({brief(made.workload, better.plan)})."
        if explanation.assumptions:
            yield f"Uncertain figures that it rests on: {len(explanation.assumptions)}, see --explain."
    for each in made.survey.missing:
        yield f"Not reached: {each}."


def _score(score: Score) -> str:
    words = duration(score.time_s)
    if score.time95_s > 1.01 * score.time_s:
        words += f", within {duration(score.time95_s)} in 95 cases of 100"
    if score.energy_j > 0:
        words += f", {amount(score.energy_j, 'J')} of the device's battery"
    if score.money > 0:
        words += f", {score.money:.3g} of money"
    return words


def _terms(made: MadePlan, explanation: Explanation) -> str:
    """One row for each leg, in the order of time."""
    rows = []
    for term in explanation.terms:
        moved = [term.encode_s, term.send_s, term.rtt_s, term.decode_s] if term.codec else []
        rows.append(
            (
                f"{term.node}: {stages_in(made.workload, term.start_step, term.stop_step) or 'the result'}",
                *(duration(each) for each in moved or ()),
                *([_NOTHING] * (4 - len(moved))),
                duration(term.wait_s),
                duration(term.entry_s),
                duration(term.compute_s),
                amount(term.energy_j, "J"),
                f"{term.money:.3g}",
                _NOTHING if term.temperature_c is None else f"{term.temperature_c:.1f} C",
            )
        )
    header = (
        "leg",
        "encode",
        "send",
        "round trip",
        "decode",
        "wait",
        "enter",
        "compute",
        "energy",
        "money",
        "heat",
    )
    return table(header, rows)


def _reasons(made: MadePlan) -> Iterator[str]:
    explanation = made.explanation
    if explanation is None:
        return
    weights = explanation.weights
    small = (
        f"{weights.time:.3g} a second + {weights.energy:.3g} a joule + {weights.money:.3g} a unit of money"
    )
    yield f"Made small: {small}" + (f"; here {made.score.objective:.4g}." if made.score.feasible else ".")
    if explanation.exact:
        yield "No plan is better."
    if explanation.runner_up is not None:
        yield _other(made, explanation.runner_up, exact=explanation.exact)
    if explanation.binding:
        yield explanation.binding
    elif explanation.exact:
        yield "No limit binds: without any of them the plan would be the same."
    for each in explanation.assumptions:
        yield f"Uncertain: {each}"


def _other(made: MadePlan, other: Alternative, *, exact: bool) -> str:
    what = "The runner-up" if exact else "The best other plan"
    plan = brief(made.workload, other.plan)
    if not math.isfinite(other.behind):
        return f"{what} ({plan}) keeps no limit: {other.score.why}"
    how = f"{share(other.behind)} worse" if other.behind >= 0 else f"{share(-other.behind)} better"
    return f"{what} is {how}: {plan}; {_score(other.score)}."


def _nodes(made: MadePlan) -> str:
    """How each node is believed to be, and how it said that it was."""
    rows = []
    for node in made.survey.topology.nodes:
        known, heard = made.survey.estimates.nodes[node.id], made.survey.heard.get(node.id)
        look = Telemetry() if heard is None else heard.telemetry
        able = [seconds for seconds in known.step_s if math.isfinite(seconds)]
        rows.append(
            (
                node.id,
                str(node.tier),
                ("~" if known.uncertain else "") + duration(sum(able)) if able else "cannot",
                duration(known.ready_s) if math.isfinite(known.ready_s) else "never",
                f"{known.price_per_s:g}",
                shown(look.load, percent),
                battery(look),
                shown(look.power_w, lambda watts: f"{watts:.1f} W"),
                shown(look.temperature_c, lambda celsius: f"{celsius:.1f} C"),
                shown(look.clock_ratio, percent),
                _NOTHING if heard is None else f"{duration(heard.age_s)} ago",
            )
        )
    header = (
        "node",
        "tier",
        "all steps",
        "ready in",
        "price/s",
        "load",
        "battery",
        "power",
        "heat",
        "clock",
        "heard",
    )
    return table(header, rows)


def _links(made: MadePlan) -> str:
    rows = []
    for (source, target), link in made.survey.estimates.links.items():
        age_s = made.survey.ages_s.get((source, target))
        rows.append(
            (
                source,
                target,
                rate(link.bits_per_s),
                f"{math.exp(link.sigma):.2g}",
                duration(link.rtt_s),
                "assumed" if age_s is None else f"{duration(age_s)} ago",
                "through the device" if (source, target) in made.survey.relayed else "",
            )
        )
    return table(("from", "to", "rate", "within a factor of", "round trip", "seen", ""), rows) if rows else ""


def _computing(explanation: Explanation) -> list[Term]:
    return [term for term in explanation.terms if term.start_step < term.stop_step]
