"""From a wish for each stage to a plan: what the fixed policies share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.topology import Node, NodeId, Tier
from eapg_split.domain.workload import Stage
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.legality import bound_to_device
from eapg_split.planner.limits import MAX_NOTE_CHARACTERS, MAX_NOTES, check_plan
from eapg_split.planner.policy import PlanView, Refusal


def place(view: PlanView, wish: Callable[[Stage], Iterable[Tier]]) -> Plan:
    """A plan that gives each stage to the first tier of its wish that has a usable node, else to the device.

    Decode, and what sees a text that is private, stay on the device whatever is wished; pins come before wishes. Every
    stage that did not get its first wish leaves a note. Where that would make too many cuts, one remote node takes what
    several had, or the device everything. Raises InfeasiblePlan.
    """
    nodes: list[NodeId] = []
    notes: dict[str, None] = {}
    for step in range(view.start_step, view.workload.steps):
        stage = view.workload.stage_of(step)
        node, note = _choose(view, stage, tuple(wish(stage)))
        nodes.append(node.id)
        if note:
            notes[note] = None
    try:
        return assemble(view, nodes, notes=notes)
    except InfeasiblePlan:
        for simpler in _with_fewer_cuts(view, nodes):
            try:
                return assemble(view, simpler, notes=[*notes, "Fewer nodes than wished, for fewer cuts."])
            except InfeasiblePlan:
                continue
        raise


def _with_fewer_cuts(view: PlanView, nodes: Sequence[NodeId]) -> Iterator[list[NodeId]]:
    """The same with one remote node in place of all, for each of them, and with none; as far as they are able."""
    device = view.topology.device.id
    stages = [view.workload.stage_of(step) for step in range(view.start_step, view.workload.steps)]
    for other in (*dict.fromkeys(node for node in nodes if node != device), device):
        candidate = view.topology.node(other)
        able = {stage.name for stage in view.workload.stages if not obstacle(view, stage, candidate)}
        moved = [
            other if node != device and stage.name in able else node
            for node, stage in zip(nodes, stages, strict=True)
        ]
        if moved != nodes:
            yield moved


def obstacle(view: PlanView, stage: Stage, node: Node) -> str:
    """Why a node cannot take a stage, to be read after its name; empty when it can."""
    if node.id in view.unavailable:
        return "is unavailable"
    if node.id != view.topology.device.id and bound_to_device(view.objective, stage):
        return f"may not run {stage.name}, which must stay on the device"
    pin = view.objective.pins.get(stage.name)
    if pin is not None and pin != node.id:
        return f"is not where {stage.name} is pinned"
    if view.objective.codec not in node.codecs:
        return f"does not know the codec {view.objective.codec}"
    caps = [view.objective.memory_caps.get(node.id), node.memory_bytes]
    if any(cap is not None and cap < stage.memory_bytes for cap in caps):
        return f"has too little memory (about {stage.memory_bytes / 1e6:.0f} MB are needed)"
    return ""


def segments_of(nodes: Iterable[NodeId], start_step: int) -> list[Segment]:
    """The segments of one node for each step from `start_step` on."""
    segments, step = list[Segment](), start_step
    for node, run in groupby(nodes):
        stop = step + len(list(run))
        segments.append(Segment(node, step, stop))
        step = stop
    return segments


def assemble(view: PlanView, nodes: Sequence[NodeId], *, notes: Iterable[str] = ()) -> Plan:
    """A plan from one node for each step from `view.start_step` on, every cut with the codec that was asked for.

    Raises InfeasiblePlan for what breaks a rule or a limit.
    """
    segments, codec = segments_of(nodes, view.start_step), view.objective.codec
    cuts = [Cut(segment.start_step, codec) for segment in segments[1:]]
    if needs_entry(view, segments[0].node):
        cuts.insert(0, Cut(view.start_step, codec))
    short = tuple(note[:MAX_NOTE_CHARACTERS] for note in notes)[:MAX_NOTES]
    return check_plan(view, Plan(tuple(segments), tuple(cuts), short))


def needs_entry(view: PlanView, first: NodeId) -> bool:
    """Whether a plan that starts on a node begins with a transfer from where the state is."""
    return view.start_step > 0 and first != (view.at or view.topology.device.id)


def rest_of(view: PlanView, current: Plan) -> Plan:
    """What a plan says of the steps from `view.start_step` on, as a plan of its own.

    It begins with a transfer where the state is elsewhere, through the plan's own codec at that boundary, or the
    objective's where it has none. Raises InfeasiblePlan where nothing of the plan is left; nothing else is checked.
    """
    start = view.start_step
    segments = tuple(
        Segment(part.node, max(part.start_step, start), part.stop_step)
        for part in current.segments
        if part.stop_step > start
    )
    if not segments:
        raise InfeasiblePlan(f"The plan ends before step {start}.")
    cuts = tuple(cut for cut in current.cuts if cut.step > start)
    if needs_entry(view, segments[0].node):
        named = next((cut.codec for cut in current.cuts if cut.step == start), view.objective.codec)
        cuts = (Cut(start, named), *cuts)
    return Plan(segments, cuts, current.notes)


def _choose(view: PlanView, stage: Stage, tiers: tuple[Tier, ...]) -> tuple[Node, str]:
    """The node for a stage, and a note unless its first wish came true."""
    device = view.topology.device
    pin = view.objective.pins.get(stage.name)
    if pin is not None:
        return _pinned(view, stage, pin), ""
    if not tiers or bound_to_device(view.objective, stage):
        return device, ""
    for tier in tiers:
        for node in view.topology.of_tier(tier):
            if obstacle(view, stage, node):
                continue
            if tier is tiers[0]:
                return node, ""
            return node, f"{stage.name} runs on {node.id}: {_reason(view, stage, tiers[0])}."
    return device, f"{stage.name} runs on the device: {_reason(view, stage, tiers[0])}."


def _pinned(view: PlanView, stage: Stage, pin: NodeId) -> Node:
    for node in view.topology.nodes:
        if node.id == pin:
            return node
    raise InfeasiblePlan(
        f"{stage.name} is pinned to {pin}, which is not among the known nodes: lift the pin."
    )


def _reason(view: PlanView, stage: Stage, tier: Tier) -> str:
    obstacles = [f"{node.id} {obstacle(view, stage, node)}" for node in view.topology.of_tier(tier)]
    return ", ".join(obstacles) or f"there is no {tier} node"


def require(view: PlanView, tier: Tier, policy: str) -> None:
    """Raise Refusal unless the topology has a node of a tier."""
    if not view.topology.of_tier(tier):
        raise Refusal(f"The policy {policy} needs a node of tier {tier}: add one, or use pyramid.")
