"""Which node may compute which step: memory, privacy, pins, and how much information a node takes on."""

import numpy as np

from eapg_split.domain.request import Privacy
from eapg_split.domain.workload import Stage, StageKind
from eapg_split.planner.arrays import Bools, Floats
from eapg_split.planner.policy import PlanView


def bound_to_device(view: PlanView, stage: Stage) -> bool:
    """Whether a stage may run nowhere else: it decodes, or it sees a text that is private."""
    private = view.objective.privacy is Privacy.PROMPT_LOCAL and stage.sees_text
    return stage.kind is StageKind.DECODE or private


def open_nodes(view: PlanView, stage: Stage) -> list[bool]:
    """[N]: who may compute a stage at all."""
    objective, device = view.objective, view.topology.device.id
    bound, pin, needs = bound_to_device(view, stage), objective.pins.get(stage.name), stage.memory_bytes
    caps = objective.memory_caps
    return [
        node.id not in view.unavailable
        and (not bound or node.id == device)
        and (pin is None or pin == node.id)
        and (node.memory_bytes is None or needs <= node.memory_bytes)
        and needs <= caps.get(node.id, needs)
        for node in view.topology.nodes
    ]


def open_steps(view: PlanView, entropy_bits: Floats, max_entropy_bits: Floats) -> Bools:
    """[S, N]: who may compute each step that is left.

    A node takes on the state before a step when its coded size is within the node's budget and the job's. What may run
    nowhere but on the device is exempt, for nobody else could take it; so is the first step, which needs no state.
    """
    stages = view.workload.stages
    counts = [stage.stop_step - max(stage.start_step, view.start_step) for stage in stages]
    left = [number for number, count in enumerate(counts) if count > 0]
    repeats = [counts[number] for number in left]
    allowed: Bools = np.array([open_nodes(view, stages[number]) for number in left]).repeat(repeats, axis=0)
    caps = np.minimum(max_entropy_bits, view.objective.max_entropy_bits)
    if caps.min() < entropy_bits.max():
        exempt = np.array([bound_to_device(view, stages[number]) for number in left]).repeat(repeats)
        exempt[0] |= view.start_step == 0
        allowed &= exempt[:, None] | (entropy_bits[:-1, None] <= caps)
    return allowed


def open_crossings(view: PlanView) -> Bools:
    """[N, N]: between whom a cut may be, for both must know the codec and be there; a node with itself always may."""
    nodes, codec = view.topology.nodes, view.objective.codec
    able = np.array([codec in node.codecs and node.id not in view.unavailable for node in nodes])
    crossings: Bools = (able[:, None] & able) | np.eye(len(nodes), dtype=bool)
    return crossings
