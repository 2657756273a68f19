"""Which node may compute which step: memory, privacy, pins, and how much information a node takes on."""

import math

import numpy as np

from eapg_split.domain.request import Privacy
from eapg_split.domain.workload import Stage, StageKind
from eapg_split.planner.arrays import Bools, Floats
from eapg_split.planner.policy import Objective, PlanView


def bound_to_device(objective: Objective, stage: Stage) -> bool:
    """Whether a stage may run nowhere else: it decodes, or it sees a text that is private."""
    private = objective.privacy is Privacy.PROMPT_LOCAL and stage.sees_text
    return stage.kind is StageKind.DECODE or private


def _room(view: PlanView) -> list[float]:
    """[N]: bytes that each node may use, less than nothing where it is unavailable."""
    caps = view.objective.memory_caps
    room = []
    for node in view.topology.nodes:
        own = math.inf if node.memory_bytes is None else node.memory_bytes
        room.append(-1.0 if node.id in view.unavailable else min(own, caps.get(node.id, math.inf)))
    return room


def _open_nodes(view: PlanView, stage: Stage, room: list[float]) -> list[bool]:
    """[N]: who may compute a stage at all."""
    allowed = [stage.memory_bytes <= bytes_ for bytes_ in room]
    only = {view.topology.device.id} if bound_to_device(view.objective, stage) else set()
    pin = view.objective.pins.get(stage.name)
    only |= set() if pin is None else {pin}
    if not only:
        return allowed
    return [may and only == {node.id} for may, node in zip(allowed, view.topology.nodes, strict=True)]


def open_steps(view: PlanView, entropy_bits: Floats, max_entropy_bits: Floats) -> Bools:
    """[S, N]: who may compute each step that is left.

    A node takes on the state before a step when its coded size is within the node's budget and the job's. What may run
    nowhere but on the device is exempt, for nobody else could take it; so is the first step, which needs no state.
    """
    stages = view.workload.stages
    counts = [stage.stop_step - max(stage.start_step, view.start_step) for stage in stages]
    left = [number for number, count in enumerate(counts) if count > 0]
    repeats = [counts[number] for number in left]
    room = _room(view)
    allowed: Bools = np.array([_open_nodes(view, stages[number], room) for number in left]).repeat(
        repeats, axis=0
    )
    caps = np.minimum(max_entropy_bits, view.objective.max_entropy_bits)
    if caps.min() < entropy_bits.max():
        exempt = np.array([bound_to_device(view.objective, stages[number]) for number in left]).repeat(
            repeats
        )
        exempt[0] |= view.start_step == 0
        allowed &= exempt[:, None] | (entropy_bits[:-1, None] <= caps)
    return allowed


def open_crossings(view: PlanView) -> Bools:
    """[N, N]: between whom a cut may be, for both must know the codec and be there; a node with itself always may."""
    nodes, codec = view.topology.nodes, view.objective.codec
    able = np.array([codec in node.codecs and node.id not in view.unavailable for node in nodes])
    crossings: Bools = (able[:, None] & able) | np.eye(len(nodes), dtype=bool)
    return crossings
