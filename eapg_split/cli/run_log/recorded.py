"""From a run's log to the plain values that the simulator runs again. Nothing of it is private but the nodes' names."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from eapg_split.cli.run_log.lines import Failed, Header
from eapg_split.cli.run_log.reader import RunLog, read_log
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.planner.policy import Objective
from eapg_split.runtime.events import Goodput, Hop, JobDone, PlanMade, StepDone
from eapg_split.runtime.observed import (
    LinkBelieved,
    LinkProbed,
    NodeBack,
    NodeDescribed,
    NodeLost,
    RoundTrip,
    TelemetryHeard,
)
from simulations import record_lines
from simulations.looks import Look
from simulations.recorded import (
    RecordedHop,
    RecordedLink,
    RecordedLoss,
    RecordedNode,
    RecordedRun,
    RecordedSample,
    RecordedStep,
    RecordedTrip,
)

T = TypeVar("T")
_LONGEST_LINE: Final = 4096  # of a record's first line
_LEAST_S: Final = 1e-6
_NEAR_S: Final = 0.1  # before the run has work on a node, a look may show it
_EVERY_S: Final = 1.0  # telemetry comes; the last look at the work may be as old
_LONGEST_S: Final = 7 * 86_400.0  # of a run, or of anything in it
_MOST_NODES: Final = 64
_MOST_LOSSES: Final = 1000


def read_recorded(path: Path) -> RecordedRun:
    """The run in a log. Raises InvalidRequest for what is no log of a run that ended well, or is too old."""
    _refuse_simulated(path)
    log = read_log(path)
    if log.unfinished:
        raise InvalidRequest(f"{path}: {log.unfinished} Take the log of a run that ended.")
    last = log.lines[-1].record
    if isinstance(last, Failed):
        raise InvalidRequest(f"{path}: the run failed ({last.error}): take the log of one that ended well.")
    records = _Records([line.record for line in log.lines])
    if not records.of(NodeDescribed):
        raise InvalidRequest(
            f"{path} does not say what the nodes are like (no line 'node_described'): run it again with 'generate"
            f" --log' of this version, and the device's daemon too; that log is of eapg-split {log.header.software}."
        )
    try:
        return _run(path.name, log, records)
    except (EapgError, ValueError) as error:
        reason = error.message if isinstance(error, EapgError) else str(error)
        raise InvalidRequest(f"{path} does not hold together: {reason.rstrip('.')}.") from error


@dataclass(frozen=True)
class _Records:
    all: Sequence[object]

    def of(self, kind: type[T]) -> list[T]:
        return [record for record in self.all if isinstance(record, kind)]


def _refuse_simulated(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begins = file.readline(_LONGEST_LINE)
    except OSError:
        return  # which whoever reads the log says
    if record_lines.FORMAT.encode() in begins:
        raise InvalidRequest(
            f"{path} is the record of a simulated run: take the log of a real one, by 'generate --log', or ask"
            " 'simulate SCENARIO --policy A,B' what other policies would have done."
        )


def _run(name: str, log: RunLog, records: _Records) -> RecordedRun:
    header, done = log.header, records.of(JobDone)[-1]
    request = _with_some_prompt(header.request)
    workload = unroll(request)
    nodes = _nodes(records.of(NodeDescribed), workload)
    steps = _steps(records.of(StepDone))
    plans = records.of(PlanMade)
    if sum(node.tier is Tier.DEVICE for node in nodes) != 1 or not steps or not plans:
        raise ValueError("a run needs one device, a plan and steps")
    _check_sizes(records, done.wall_s, len(nodes))
    known = {node.id for node in nodes}
    if strangers := {step.node for step in steps} - known:
        raise ValueError(f"{min(strangers)} computed and was not described")
    hops = _hops(records.of(Hop), known)
    looks = {node.id: _looks(node.id, records.of(TelemetryHeard), steps, hops) for node in nodes}
    return RecordedRun(
        name=name,
        request=request,
        objective=_objective(header),
        deadline_s=header.deadline_s or math.inf,
        policy=header.policy,
        began_s=datetime.fromisoformat(header.started).timestamp(),
        planned_s=plans[0].at_s,
        wall_s=done.wall_s,
        nodes=nodes,
        links=_links(records.of(LinkBelieved), known),
        samples=_samples([*records.of(Goodput), *records.of(LinkProbed)], known),
        trips=tuple(
            RecordedTrip(NodeId(each.node), each.seconds, each.at_s)
            for each in records.of(RoundTrip)
            if each.node in known
        ),
        steps=steps,
        hops=hops,
        losses=tuple(_losses(records)),
        looks=looks,
        resident={NodeId(look.node): look.resident for look in reversed(records.of(TelemetryHeard))},
        plans=len(plans),
    )


def _check_sizes(records: _Records, wall_s: float, nodes: int) -> None:
    """Raises ValueError for a run that nobody can have waited for."""
    seconds = [wall_s]
    for record in (*records.of(StepDone), *records.of(Hop), *records.of(PlanMade), *records.of(NodeLost)):
        seconds += [getattr(record, name, 0.0) for name in ("seconds", "start_s", "at_s")]
    if max(seconds) > _LONGEST_S:
        raise ValueError("something in it lasts longer than a week")
    if nodes > _MOST_NODES or len(records.of(NodeLost)) > _MOST_LOSSES:
        raise ValueError(f"it has more than {_MOST_NODES} nodes or {_MOST_LOSSES} losses")


def _with_some_prompt(request: Request) -> Request:
    """What is computed does not depend on the words, which the log need not have."""
    return (
        replace(request, prompt="A cat running", prompt_withheld=False)
        if request.prompt_withheld
        else request
    )


def _objective(header: Header) -> Objective:
    return Objective(
        privacy=header.request.privacy,
        codec=header.codec,
        goal=header.goal,
        max_entropy_bits=header.max_entropy_bits or math.inf,
        max_cuts=header.max_cuts,
        pins={stage: NodeId(node) for stage, node in header.pins.items()},
        memory_caps={NodeId(node): size for node, size in header.memory_caps.items()},
    )


def _nodes(described: Iterable[NodeDescribed], workload: Workload) -> tuple[RecordedNode, ...]:
    """Each as it was described last: a daemon that was started again describes them anew."""
    latest = {each.node: each for each in described}
    return tuple(
        RecordedNode(
            NodeId(each.node),
            Tier(each.tier),
            each.memory_bytes or None,
            each.price_per_s,
            _costs(each, workload),
        )
        for each in latest.values()
    )


def _costs(node: NodeDescribed, workload: Workload) -> dict[str, StageCost]:
    """Costs under which a step takes as long as the log says."""
    told = {each.stage: each for each in node.stages}
    if missing := [stage.name for stage in workload.stages if stage.name not in told]:
        raise ValueError(f"{node.node} has no costs of {missing[0]}")
    costs = {}
    for stage in workload.stages:
        each = told[stage.name]
        costs[stage.name] = StageCost(
            0.0,
            stage.flops_per_step / max(_LEAST_S, each.step_s),
            each.load_s,
            stage.memory_bytes,
            each.watts or None,
            each.uncertain,
            stage.entry_flops / each.entry_s if each.entry_s and stage.entry_flops else math.inf,
        )
    return costs


def _steps(events: Sequence[StepDone]) -> tuple[RecordedStep, ...]:
    found, before = list[RecordedStep](), None
    for event in events:
        entering = before is None or event.node != before.node or event.step != before.step + 1
        found.append(
            RecordedStep(
                NodeId(event.node),
                event.stage,
                event.step,
                event.start_s,
                max(_LEAST_S, event.seconds),
                entering,
            )
        )
        before = event
    return tuple(found)


def _links(events: Iterable[LinkBelieved], known: set[NodeId]) -> tuple[RecordedLink, ...]:
    return tuple(
        RecordedLink(
            (NodeId(each.source), NodeId(each.target)),
            each.bits_per_s,
            each.rtt_s,
            each.known,
            each.age_s,
            each.relayed,
            each.at_s,
        )
        for each in events
        if {each.source, each.target} <= known and each.bits_per_s > 0
    )


def _samples(events: Iterable[Goodput | LinkProbed], known: set[NodeId]) -> tuple[RecordedSample, ...]:
    found = [
        RecordedSample((NodeId(each.source), NodeId(each.target)), each.bytes, each.seconds, each.at_s)
        for each in events
        if each.bytes > 0 and each.seconds > 0 and {each.source, each.target} <= known
    ]
    return tuple(sorted(found, key=lambda sample: sample.at_s))


def _hops(events: Iterable[Hop], known: set[NodeId]) -> tuple[RecordedHop, ...]:
    return tuple(
        RecordedHop(
            (NodeId(each.source), NodeId(each.target)),
            each.step,
            each.codec,
            each.wire_bytes,
            each.start_s,
            each.seconds,
            each.encode_s,
            each.decode_s,
        )
        for each in events
        if {each.source, each.target} <= known
    )


def _losses(records: _Records) -> Iterable[RecordedLoss]:
    returns = records.of(NodeBack)
    for lost in records.of(NodeLost):
        back = [each.at_s for each in returns if each.node == lost.node and each.at_s > lost.at_s]
        yield RecordedLoss(NodeId(lost.node), lost.at_s, min(back, default=math.inf))


def _looks(
    node: NodeId,
    events: Iterable[TelemetryHeard],
    steps: Iterable[RecordedStep],
    hops: Iterable[RecordedHop],
) -> tuple[Look, ...]:
    """The node's looks; load and queue are those before and after the run itself had work there: others'."""
    begins = [step.start_s for step in steps if step.node == node]
    begins += [hop.start_s for hop in hops if hop.ends[1] == node]  # its place is taken since then
    began = min(begins, default=math.inf)
    ended = max((step.start_s + step.seconds for step in steps if step.node == node), default=math.inf)
    found, others = list[Look](), dict[str, float]()
    for event in events:
        if event.node != node:
            continue
        readings = dict(event.readings)
        if not began - _NEAR_S <= event.at_s <= ended + _EVERY_S or not others:
            others = {name: readings[name] for name in ("load", "queue_s") if name in readings}
        for name in ("load", "queue_s"):
            readings.pop(name, None)
        found.append((event.at_s, readings | others))
    return tuple(found)
