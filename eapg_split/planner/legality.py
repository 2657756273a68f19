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


def open_nodes(view: PlanView, stage: Stage) -> Bools:
    """[N]: who may compute a stage at all."""
    objective, device = view.objective, view.topology.device.id
    bound, pin = bound_to_device(view, stage), objective.pins.get(stage.name)
    allowed = []
    for node in view.topology.nodes:
        caps = (node.memory_bytes, objective.memory_caps.get(node.id))
        allowed.append(
            node.id not in view.unavailable
            and (node.id == device or not bound)
            and pin in (None, node.id)
            and not any(cap is not None and cap < stage.memory_bytes for cap in caps)
        )
    return np.array(allowed)


def open_steps(view: PlanView, entropy_bits: Floats, max_entropy_bits: Floats) -> Bools:
    """[S, N]: who may compute each step that is left.

    A node takes on the state before a step when its coded size is within the node's budget and the job's. What may run
    nowhere but on the device is exempt, for nobody else could take it; so is the first step, which needs no state.
    """
    start = view.start_step
    caps = np.minimum(max_entropy_bits, view.objective.max_entropy_bits)
    allowed = entropy_bits[:-1, None] <= caps
    if start == 0:
        allowed[0] = True
    for stage in view.workload.stages:
        rows = slice(max(stage.start_step - start, 0), max(stage.stop_step - start, 0))
        if bound_to_device(view, stage):
            allowed[rows] = True
        allowed[rows] &= open_nodes(view, stage)
    return allowed


def open_crossings(view: PlanView) -> Bools:
    """[N, N]: between whom a cut may be, for both must know the codec and be there; a node with itself always may."""
    nodes, codec = view.topology.nodes, view.objective.codec
    able = np.array([codec in node.codecs and node.id not in view.unavailable for node in nodes])
    crossings: Bools = (able[:, None] & able) | np.eye(len(nodes), dtype=bool)
    return crossings
