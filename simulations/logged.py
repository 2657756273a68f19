"""From a run that was recorded to the world that it ran in: nodes as fast and links as slow as they were."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import numpy as np

from eapg_split.domain.telemetry import LinkSight
from eapg_split.domain.topology import Ends, Node, Topology
from eapg_split.planner import resolve
from eapg_split.planner.estimates import CodecEstimate, LinkEstimate
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.planner.priors import assumed_link
from simulations.arrivals import Listed
from simulations.faults import Fault
from simulations.looks import Looks
from simulations.node_specs import NodeSpec
from simulations.paces import Paces, paces_of
from simulations.recorded import RecordedNode, RecordedRun, RecordedSample
from simulations.simulation import Setup
from simulations.sites import Way
from simulations.traces import RateTrace
from simulations.world import DETECT_S, Demand, Layout

_CELL_S: Final = 0.125  # of which multiples are exact
_NEAR_S: Final = 0.5  # samples so far from a moment count e times less for it than those at it
_LASTS_S: Final = 3600.0  # of a trace, whose last rate holds
_BELIEVED_BYTES: Final = 64 * 1024  # that what was believed of a link counts for, beside what it carried
_FRESH_S: Final = 60.0
_FOREVER_S: Final = 1e7
_MOST_SAMPLES: Final = 2000  # of a trace; of more, neighbours count as one


@dataclass(frozen=True)
class Rebuilt:
    """The world of a run; `notes` say what the run did not show of it."""

    setup: Setup
    notes: tuple[str, ...]


def rebuilt(run: RecordedRun, begins_s: float = 0.0) -> Rebuilt:
    """The world of a run, in which its job arrives at `begins_s` after it was accepted."""
    nodes, notes = list[NodeSpec](), list[str]()
    for node in run.nodes:
        paces = paces_of(run, node)
        nodes.append(_spec(run, node, paces))
        if paces.unseen:
            notes.append(_unseen(node, paces))
    media, ways, said = _links(run)
    notes += said
    if run.policy == "bandit":
        notes.append("What the policy bandit had learned before is not in the log: it begins anew.")
    demand = Demand(
        "job",
        run.workload,
        run.objective,
        lambda: resolve(run.policy),
        run.deadline_s,
        codecs=really_coded(run),
    )
    layout = Layout(tuple(nodes), media, ways)
    setup = Setup(layout, ((demand, Listed((begins_s,))),), tuple(_faults(run)), tuple(_known(run, ways)))
    return Rebuilt(setup, tuple(notes))


# nodes


def _spec(run: RecordedRun, node: RecordedNode, paces: Paces) -> NodeSpec:
    resident = run.resident.get(node.id, ())
    return NodeSpec(
        node.id,
        node.tier,
        node.costs,
        price_per_s=node.price_per_s,
        memory_bytes=node.memory_bytes,
        warm=all(cost.load_s == 0 for cost in node.costs.values()),
        noise=paces.noise,
        really=paces.costs,
        resident=resident,
        looks=Looks(run.looks.get(node.id, ())),
    )


def _unseen(node: RecordedNode, paces: Paces) -> str:
    guessed = any(node.costs[name].uncertain for name in paces.unseen)
    what = "a guess of its speed" if guessed else "its profile"
    if len(paces.unseen) == len(node.costs):
        return f"{node.id} computed nothing: {what} stands in."
    return f"{node.id} did not compute {', '.join(paces.unseen)}: {what} stands in, times half of its other drift."


# links


def _links(run: RecordedRun) -> tuple[dict[str, RateTrace], dict[Ends, Way], list[str]]:
    media, ways, notes = dict[str, RateTrace](), dict[Ends, Way](), list[str]()
    tiers = {node.id: node.tier for node in run.nodes}
    for ends in _usable(run):
        samples = samples_of(run, ends)
        prior = assumed_link(tiers[ends[0]], tiers[ends[1]])
        if not samples:
            notes.append(nothing_seen(ends, prior))
        media[f"{ends[0]}>{ends[1]}"] = (
            rates_over_time(samples) if samples else RateTrace(np.array([prior.bits_per_s]))
        )
        ways[ends] = Way((len(media) - 1,), delay_s(run, ends, prior.rtt_s))
    return media, ways, notes


def nothing_seen(ends: Ends, prior: LinkEstimate) -> str:
    """What to say of a link for which the prior stands in."""
    return (
        f"Nothing was seen of the link from {ends[0]} to {ends[1]}: it has the {prior.bits_per_s / 1e6:g} Mbit/s that"
        " planners assume."
    )


def _usable(run: RecordedRun) -> list[Ends]:
    """Both ways of every pair that is joined by more than a way through the device."""
    device = run.device.id
    joined = {frozenset(link.ends) for link in run.links if not link.relayed or device in link.ends}
    joined |= {frozenset(hop.ends) for hop in run.hops if hop.ends[0] != hop.ends[1]}
    joined |= {frozenset((device, node.id)) for node in run.nodes if node.id != device}
    pairs = [sorted(pair) for pair in joined if len(pair) == 2]
    return sorted(ends for a, b in pairs for ends in ((a, b), (b, a)))


def samples_of(run: RecordedRun, ends: Ends) -> list[RecordedSample]:
    """What a link carried, and else what was believed of it for a reason; of the way back, where only that is known."""
    for way in (ends, (ends[1], ends[0])):
        carried = [sample for sample in run.samples if sample.ends == way]
        believed = [
            RecordedSample(
                way, _BELIEVED_BYTES, 8 * _BELIEVED_BYTES / link.bits_per_s, link.at_s - link.age_s
            )
            for link in run.links
            if link.ends == way and link.known and not link.relayed
        ]
        moved = [
            RecordedSample(way, hop.wire_bytes, hop.seconds, hop.start_s + hop.seconds)
            for hop in run.hops
            if hop.ends == way and hop.seconds > 0 and hop.wire_bytes >= _BELIEVED_BYTES
        ]
        if found := carried or believed or moved:
            return sorted([*believed, *carried] if carried else found, key=lambda sample: sample.at_s)
    return []


def rates_over_time(samples: Sequence[RecordedSample]) -> RateTrace:
    """At every moment the bytes over the seconds of the samples, the nearer the more: what was carried takes as long.

    Half way between two samples that are far apart the rate goes over from one to the other.
    """
    firsts = np.arange(0, len(samples), math.ceil(len(samples) / _MOST_SAMPLES))
    ends = np.maximum.reduceat([sample.at_s for sample in samples], firsts)
    seconds = np.add.reduceat([sample.seconds for sample in samples], firsts)
    bits = np.add.reduceat([8.0 * sample.bytes for sample in samples], firsts)
    until_s = max(0.0, float(ends.max())) + 2 * _NEAR_S
    moments = np.arange(0.0, min(_LASTS_S, until_s) + _CELL_S, _CELL_S) + _CELL_S / 2
    rates = np.empty(len(moments))
    for index, moment in enumerate(moments):
        away_s = np.maximum(0.0, np.maximum(ends - seconds - moment, moment - ends))
        weights = np.exp((away_s.min() - away_s) / _NEAR_S)
        rates[index] = (weights @ bits) / (weights @ seconds)
    if len(samples) == 1 or np.ptp(rates) < 1e-9 * rates.max():
        return RateTrace(rates[:1])
    held = np.full(max(0, int(_LASTS_S / _CELL_S) - len(rates)), rates[-1])
    return RateTrace(np.concatenate([rates, held]), _CELL_S)


def delay_s(run: RecordedRun, ends: Ends, prior_rtt_s: float) -> float:
    """Half of the shortest round trip: as it was measured, else as it was believed, else the prior's."""
    trips = [trip.seconds for trip in run.trips if run.device.id in ends and trip.node in ends]
    believed = [link.rtt_s for link in run.links if link.ends == ends and link.known and link.rtt_s > 0]
    return min(trips or believed or [prior_rtt_s]) / 2


def _known(run: RecordedRun, ways: Mapping[Ends, Way]) -> Iterable[LinkSight]:
    """What was believed when the job began."""
    told = set[Ends]()
    for link in run.links:
        if link.ends in ways and link.ends not in told and link.known and link.age_s <= _FRESH_S:
            told.add(link.ends)
            rtt_s = link.rtt_s or 2 * ways[link.ends].delay_s
            yield LinkSight(*link.ends, link.bits_per_s, 0.0, rtt_s, link.age_s)


# states


def really_coded(run: RecordedRun) -> tuple[CodecEstimate, ...]:
    """What states took on the wire and in coders, which is what codecs estimate only where none of that kind moved."""
    options = codec_options(run.objective.codec)
    topology = Topology(tuple(Node(node.id, node.tier) for node in run.nodes))
    estimates = Outlook(run.workload, topology, options, objective=run.objective).codecs
    return tuple(_corrected(estimate, run) for estimate in estimates)


def _corrected(estimate: CodecEstimate, run: RecordedRun) -> CodecEstimate:
    hops = [
        hop
        for hop in run.hops
        if hop.codec == estimate.name and hop.step < len(estimate.bits) and hop.wire_bytes
    ]
    exact = {hop.step: 8.0 * hop.wire_bytes for hop in hops}
    ratios = {step: bits / estimate.bits[step] for step, bits in exact.items() if step > 0}
    if not ratios:
        return estimate
    by_stage: dict[str, list[float]] = {}
    for step, ratio in ratios.items():
        by_stage.setdefault(run.workload.stage_of(step - 1).name, []).append(ratio)
    overall = median(ratios.values())
    bits = [estimate.bits[0]]
    for step in range(1, len(estimate.bits)):
        ratio = median(by_stage.get(run.workload.stage_of(step - 1).name, [overall]))
        bits.append(exact.get(step, estimate.bits[step] * ratio))
    waited = _waited_s(run)
    encode_s = [seconds + waited.get(step, 0.0) for step, seconds in enumerate(estimate.encode_s)]
    return replace(estimate, bits=tuple(bits), encode_s=tuple(encode_s))


def _waited_s(run: RecordedRun) -> dict[int, float]:
    """How long states stayed where they were computed before they left: for previews, which a log asks for."""
    ends = {step.step + 1: (step.node, step.start_s + step.seconds) for step in run.steps}
    found = dict[int, float]()
    for hop in run.hops:
        node, end_s = ends.get(hop.step, (None, 0.0))
        if node == hop.ends[0] and hop.step not in found:
            found[hop.step] = max(0.0, hop.start_s - end_s)
    return found


def _faults(run: RecordedRun) -> Iterable[Fault]:
    """A node was away from about a second before the job missed it."""
    for loss in run.losses:
        if loss.node == run.device.id:
            continue
        until_s = loss.until_s if math.isfinite(loss.until_s) else loss.at_s + _FOREVER_S
        at_s = max(0.0, loss.at_s - DETECT_S)
        yield Fault(at_s, max(0.1, until_s - at_s), node=loss.node)
