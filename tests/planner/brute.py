"""The same costs once more, written plainly from the estimates, one path at a time: what the planner is held to."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from eapg_split.codecs.base import PART_RAW_BYTES
from eapg_split.domain.request import Privacy
from eapg_split.domain.workload import StageKind
from eapg_split.planner.policy import PlanView
from eapg_split.planner.weights import weights_of


@dataclass
class Priced:
    path: tuple[int, ...]
    time_s: float
    time95_s: float
    energy_j: float
    money: float
    cuts: int
    battery: dict[int, float]
    objective: float


def legal(view: PlanView, step: int, number: int) -> bool:
    """Whether a node may compute a step."""
    node, objective, estimates = view.topology.nodes[number], view.objective, view.estimates
    assert estimates is not None
    codecs = [c for c in estimates.codecs if objective.codec in ("auto", c.name)]
    stage = view.workload.stage_of(step)
    bound = stage.kind is StageKind.DECODE or (stage.sees_text and objective.privacy is Privacy.PROMPT_LOCAL)
    memory = [node.memory_bytes, objective.memory_caps.get(node.id)]
    known = estimates.nodes[node.id]
    if (bound and node.id != view.topology.device.id) or node.id in view.unavailable:
        return False
    if any(cap is not None and cap < stage.memory_bytes for cap in memory):
        return False
    if objective.pins.get(stage.name, node.id) != node.id or not math.isfinite(known.step_s[step]):
        return False
    budget = min(known.max_entropy_bits, objective.max_entropy_bits)
    return bound or step == 0 or not codecs or min(c.bits[step] for c in codecs) <= budget


def paths(view: PlanView) -> Iterator[tuple[int, ...]]:
    """Every way to put the steps that are left on nodes that may compute them."""
    steps, numbers = range(view.start_step, view.workload.steps), range(len(view.topology.nodes))
    return itertools.product(*([n for n in numbers if legal(view, step, n)] for step in steps))


Moves = dict[tuple[int, int, int], tuple[float, float, float, float] | None]


def priced(view: PlanView, path: tuple[int, ...], moves: Moves) -> Priced | None:
    """None where a move is impossible; limits are not looked at. `moves` keeps what was computed of them."""
    estimates, nodes = view.estimates, view.topology.nodes
    assert estimates is not None
    device = next(number for number, node in enumerate(nodes) if node.id == view.topology.device.id)
    here = device
    if view.start_step:
        at = view.in_flight.source if view.in_flight else view.at
        here = next((number for number, node in enumerate(nodes) if node.id == at), device)
    active, idle = (getattr(estimates.nodes[nodes[device].id], name) for name in ("active_w", "idle_w"))
    now = now95 = busy = radio = money = 0.0
    battery = dict.fromkeys(range(len(nodes)), 0.0)
    cuts = 0
    for step, number in [*enumerate(path, view.start_step), (view.workload.steps, device)]:
        last = step == view.workload.steps
        node = estimates.nodes[nodes[number].id]
        compute = 0.0 if last else node.step_s[step]
        if number != here:
            key = step, here, number
            if key not in moves:
                moves[key] = moved(view, *key)
            move = moves[key]
            if move is None:
                return None
            seconds, seconds95, joules, coding = move
            now, now95, radio = now + seconds, now95 + seconds95, radio + joules
            radio += coding * (active - idle)
            cuts += 0 < step < view.workload.steps
            compute += node.entry_s[step] if node.entry_s and not last else 0.0
        if not last:
            now, now95 = max(now, node.ready_s) + compute, max(now95, node.ready_s) + compute
            money += compute * node.price_per_s
            battery[number] += compute * node.active_w
            busy += compute * (number == device)
        here = number
    energy = idle * now + (active - idle) * busy + radio
    weights = weights_of(view.objective, estimates.nodes[nodes[device].id])
    worth = weights.of(now, energy, money)
    battery[device] = energy
    return Priced(path, now, now95, energy, money, cuts, battery, worth)


def moved(
    view: PlanView, boundary: int, source: int, target: int
) -> tuple[float, float, float, float] | None:
    """Seconds, the same with 95 %, joules of the radio, and seconds of coding on the device; None where impossible."""
    estimates, nodes, objective = view.estimates, view.topology.nodes, view.objective
    assert estimates is not None
    link = estimates.links.get((nodes[source].id, nodes[target].id))
    if link is None or {nodes[source].id, nodes[target].id} & view.unavailable:
        return None
    ends = [nodes[source], nodes[target], *([view.topology.device] if boundary == view.start_step else [])]
    if boundary > 0 and any(objective.codec not in node.codecs for node in ends):
        return None
    surely = link.bits_per_s * math.exp(-1.645 * link.sigma)
    flight = view.in_flight
    if (
        flight is not None
        and boundary == view.start_step
        and (flight.source, flight.target) == (nodes[source].id, nodes[target].id)
    ):
        bits = 8.0 * flight.remaining_bytes
        return (
            link.rtt_s + bits / link.bits_per_s,
            link.rtt_s + bits / surely,
            bits / 8 * link.joules_per_byte,
            0.0,
        )
    raw = view.workload.spec_after(boundary - 1).raw_bytes
    parts = raw // PART_RAW_BYTES + 1
    options = []
    for codec in estimates.codecs:
        if objective.codec in ("auto", codec.name):
            bits, encode, decode = codec.bits[boundary], codec.encode_s[boundary], codec.decode_s[boundary]
            times = []
            for rate in (link.bits_per_s, surely):
                stages = sorted((encode, bits / rate, decode))
                times.append(link.rtt_s + stages[2] + (stages[0] + stages[1]) / parts)
            device = view.topology.device.id
            coding = encode * (nodes[source].id == device) + decode * (nodes[target].id == device)
            options.append((times[0], times[1], bits / 8 * link.joules_per_byte, coding))
    if not options:
        return None
    best = min(options, key=lambda option: option[0])
    return best[0], min(option[1] for option in options), best[2], best[3]


def within(view: PlanView, plan: Priced, *, slack: float = 0.0) -> bool:
    """Whether all limits are kept; `slack` makes them that share looser."""
    objective, estimates = view.objective, view.estimates
    assert estimates is not None
    loose = 1 + slack
    return (
        plan.time95_s <= objective.deadline_s * loose
        and plan.energy_j <= objective.max_energy_j * loose
        and plan.money <= objective.max_money * loose
        and plan.cuts <= objective.max_cuts
        and all(
            plan.battery[number] <= estimates.nodes[node.id].battery_j * loose
            for number, node in enumerate(view.topology.nodes)
        )
    )


def every(view: PlanView) -> list[Priced]:
    """All legal paths, limits not looked at."""
    moves: Moves = {}
    return [plan for path in paths(view) if (plan := priced(view, path, moves)) is not None]


def binding(view: PlanView, seed: int) -> PlanView:
    """The same view with limits that lie among what its paths take: some keep them, some do not."""
    random = np.random.default_rng([seed, 2])
    everything = every(view)
    if not everything:
        return view

    def among(amounts: list[float], otherwise: float) -> float:
        if random.random() < 0.5:
            return otherwise
        return float(np.quantile(amounts, random.uniform(0, 0.7))) * 1.000001

    objective = replace(
        view.objective,
        deadline_s=among([plan.time95_s for plan in everything], math.inf),
        max_energy_j=among([plan.energy_j for plan in everything], math.inf),
        max_money=among([plan.money for plan in everything], math.inf),
        max_cuts=int(among([plan.cuts for plan in everything], 8)),
    )
    return replace(view, objective=objective)
