"""From a wish for each stage to a plan: what the fixed policies share."""

from collections.abc import Callable, Iterable
from itertools import groupby

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import Node, NodeId, Tier
from eapg_split.domain.workload import Stage, StageKind
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.policy import PlanView


def place(view: PlanView, wish: Callable[[Stage], Iterable[Tier]]) -> Plan:
    """A plan that gives each stage to the first tier of its wish that has a usable node, else to the device.

    Decode, and what sees a text that is private, stay on the device whatever is wished. Every stage that did
    not get its first wish leaves a note. Raises InfeasiblePlan.
    """
    nodes: list[NodeId] = []
    notes: dict[str, None] = {}
    for step in range(view.start_step, view.workload.steps):
        stage = view.workload.stage_of(step)
        node, note = _choose(view, stage, tuple(wish(stage)))
        nodes.append(node.id)
        if note:
            notes[note] = None
    return _assemble(view, nodes, notes)


def may_leave(view: PlanView, stage: Stage) -> bool:
    """Whether a stage may run elsewhere than on the device."""
    private = view.objective.privacy is Privacy.PROMPT_LOCAL and stage.sees_text
    return stage.kind is not StageKind.DECODE and not private


def _choose(view: PlanView, stage: Stage, tiers: tuple[Tier, ...]) -> tuple[Node, str]:
    """The node for a stage, and a note unless its first wish came true."""
    device = view.topology.device
    if not tiers or not may_leave(view, stage):
        return device, ""
    for tier in tiers:
        for node in view.topology.of_tier(tier):
            if _obstacle(view, stage, node):
                continue
            if tier is tiers[0]:
                return node, ""
            return node, f"{stage.name} runs on {node.id}: {_reason(view, stage, tiers[0])}."
    return device, f"{stage.name} runs on the device: {_reason(view, stage, tiers[0])}."


def _obstacle(view: PlanView, stage: Stage, node: Node) -> str:
    """Why a node cannot take a stage; empty when it can."""
    if node.id in view.unavailable:
        return "is unavailable"
    if view.objective.codec not in node.codecs:
        return f"does not know the codec {view.objective.codec}"
    if node.memory_bytes is not None and node.memory_bytes < stage.memory_bytes:
        return f"has too little memory (about {stage.memory_bytes / 1e6:.0f} MB are needed)"
    return ""


def _reason(view: PlanView, stage: Stage, tier: Tier) -> str:
    obstacles = [f"{node.id} {_obstacle(view, stage, node)}" for node in view.topology.of_tier(tier)]
    return ", ".join(obstacles) or f"there is no {tier} node"


def _assemble(view: PlanView, nodes: list[NodeId], notes: Iterable[str]) -> Plan:
    segments, step = [], view.start_step
    for node, run in groupby(nodes):
        length = len(list(run))
        segments.append(Segment(node, step, step + length))
        step += length
    cuts = [Cut(segment.start_step, view.objective.codec) for segment in segments[1:]]
    if view.start_step > 0 and segments[0].node != view.topology.device.id:
        cuts.insert(0, Cut(view.start_step, view.objective.codec))
    return Plan.checked(view.rules, segments, cuts, notes=notes)


def require(view: PlanView, tier: Tier, policy: str) -> None:
    """Raise InfeasiblePlan unless the topology has a node of a tier."""
    if not view.topology.of_tier(tier):
        raise InfeasiblePlan(f"The policy {policy} needs a node of tier {tier}: add one, or use pyramid.")
