"""A recorded run once more in virtual time: under the policy that ran, which says how true it is, and under others."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eapg_split.domain.topology import NodeId
from eapg_split.planner import resolve
from eapg_split.planner.priors import RADIO
from simulations.logged import Rebuilt, rebuilt
from simulations.node_specs import watts_of
from simulations.outcomes import End
from simulations.record import Record
from simulations.recorded import RecordedHop, RecordedRun
from simulations.simulation import simulate

Keep = Callable[[str, int], Callable[[str], object]]

_PATIENCE: Final = 20.0  # times as long as it really took, and
_LEAST_PATIENCE_S: Final = 600.0
_FIRST_SEED: Final = 1


@dataclass(frozen=True)
class Bar:
    """A step of a stage on a node, or with two nodes a state on its way, in seconds since the job was accepted."""

    where: tuple[NodeId, ...]
    stage: str
    start_s: float
    seconds: float


@dataclass(frozen=True)
class Course:
    """One job from its acceptance to its end, real or not. Joules are the device's by its model."""

    policy: str
    end: End
    seconds: float
    sent_bytes: float
    energy_j: float
    money: float
    switches: int
    placed: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Replay:
    """A run as it was, and what each policy makes of it under each seed; `notes` say what the log does not show."""

    run: RecordedRun
    was: Course
    courses: Mapping[str, tuple[Course, ...]]
    notes: tuple[str, ...]


def replay(
    run: RecordedRun,
    policies: Iterable[str],
    seeds: Sequence[int],
    keep: Keep | None = None,
) -> Replay:
    """Every policy under every seed; `keep` may give what takes the lines of their records.

    Raises InvalidRequest for one that is unknown.

    What passes before the first plan, and after the last step, is what it was: nobody's plan has a part in it.
    """
    first = _planned_s(run)
    world = rebuilt(run, begins_s=max(0.0, run.planned_s - first))
    tail_s = max(0.0, run.wall_s - max(step.start_s + step.seconds for step in run.steps))
    courses = {
        name: tuple(_course(run, world, name, seed, tail_s, keep) for seed in seeds) for name in policies
    }
    return Replay(run, as_it_was(run), courses, world.notes)


def as_it_was(run: RecordedRun) -> Course:
    """The real course."""
    node_s: dict[NodeId, float] = {}
    for step in run.steps:
        node_s[step.node] = node_s.get(step.node, 0.0) + step.seconds
    own, prices = run.device, {node.id: node.price_per_s for node in run.nodes}
    active_w, idle_w = watts_of(own.costs.values())
    joules = idle_w * run.wall_s + (active_w - idle_w) * node_s.get(own.id, 0.0)
    for hop in run.hops:
        if own.id in hop.ends:
            radio = RADIO.sending if hop.ends[0] == own.id else RADIO.receiving
            joules += radio.joules(hop.wire_bytes, hop.seconds)
    steps = [Bar((step.node,), step.stage, step.start_s, step.seconds) for step in run.steps]
    return Course(
        policy=run.policy,
        end=End.DONE,
        seconds=run.wall_s,
        sent_bytes=float(sum(hop.wire_bytes for hop in run.hops if not _relayed(hop, run.hops))),
        energy_j=joules,
        money=sum(seconds * prices[node] for node, seconds in node_s.items()),
        switches=run.plans - 1,
        placed=_placed([(step.step, step.node) for step in run.steps]),
        bars=(*steps, *(Bar(hop.ends, "", hop.start_s, hop.seconds) for hop in run.hops)),
    )


def _relayed(hop: RecordedHop, hops: Sequence[RecordedHop]) -> bool:
    """Whether it only passed on what had just come to its source before the same step."""
    return any(
        before.ends[1] == hop.ends[0] and before.step == hop.step and before.start_s < hop.start_s
        for before in hops
    )


def _planned_s(run: RecordedRun) -> float:
    """How long the policy that ran waits in the simulation before its first plan."""
    lines = _run_lines(run, rebuilt(run), run.policy, _FIRST_SEED, None)
    return next((float(line["at_s"]) for line in lines if line["event"] == "plan"), 0.0)


def _course(
    run: RecordedRun,
    world: Rebuilt,
    policy: str,
    seed: int,
    tail_s: float,
    keep: Keep | None,
) -> Course:
    lines = _run_lines(run, world, policy, seed, keep)
    end = next(line for line in lines if line["event"] == "end")
    how = End(end["end"])
    steps = [line for line in lines if line["event"] == "step"]
    bars = [
        Bar(
            (NodeId(line["node"]),),
            run.workload.stage_of(line["step"]).name,
            line["at_s"] - line["seconds"],
            line["seconds"],
        )
        for line in steps
    ]
    hops = [line for line in lines if line["event"] == "hop"]
    bars += [
        Bar(
            (NodeId(line["source"]), NodeId(line["target"])),
            "",
            line["at_s"] - line["seconds"],
            line["seconds"],
        )
        for line in hops
    ]
    return Course(
        policy=policy,
        end=how,
        seconds=end["began_s"] + end["latency_s"] + (tail_s if how is End.DONE else 0.0),
        sent_bytes=float(sum(line["bytes"] for line in hops)),
        energy_j=end["energy_j"] + watts_of(run.device.costs.values())[1] * (end["began_s"] + tail_s),
        money=end["money"],
        switches=end["switches"],
        placed=_placed([(line["step"], NodeId(line["node"])) for line in steps]),
        bars=tuple(bars),
    )


def _run_lines(
    run: RecordedRun,
    world: Rebuilt,
    policy: str,
    seed: int,
    keep: Keep | None,
) -> list[dict[str, Any]]:
    also = None if keep is None else keep(policy, seed)
    lines = list[dict[str, Any]]()

    def write(text: str) -> None:
        lines.append(json.loads(text))
        if also is not None:
            also(text)

    until_s = max(_LEAST_PATIENCE_S, _PATIENCE * run.wall_s)
    simulate(
        world.setup,
        (policy, lambda: resolve(policy)),
        seed=seed,
        until_s=until_s,
        jobs=1,
        record=Record(write),
    )
    return lines


def _placed(steps: Sequence[tuple[int, NodeId]]) -> str:
    """Who computed what, with the first step and the first one after it: "device 0-24, edge 24-34"."""
    last: dict[int, NodeId] = dict(steps)
    parts = list[tuple[NodeId, int, int]]()
    for step in sorted(last):
        if parts and parts[-1][0] == last[step] and parts[-1][2] == step:
            node, start, _ = parts.pop()
            parts.append((node, start, step + 1))
        else:
            parts.append((last[step], step, step + 1))
    return ", ".join(f"{node} {start}-{stop}" for node, start, stop in parts)
