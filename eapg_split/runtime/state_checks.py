"""What a state must be before a segment begins with it, and before it leaves the node that computed it."""

import numpy as np

from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import CorruptPayload, EngineFailure
from eapg_split.runtime.events import Hop, PreviewFrame, SegmentEvent, StepDone
from eapg_split.runtime.handoff import Declaration, SameAsBefore, SameAsInput
from eapg_split.runtime.peer import SegmentOrder


def check_spec(order: SegmentOrder, workload: Workload, spec: LatentSpec) -> None:
    """Raise CorruptPayload unless the order can begin with a state of this spec."""
    expected = workload.spec_after(order.start_step - 1)
    if spec != expected:
        raise CorruptPayload(
            f"The state before step {order.start_step} must hold {expected}, not {spec}: send it again.",
            session_id=order.session,
        )


def check_declaration(order: SegmentOrder, workload: Workload, declaration: Declaration) -> None:
    """Raise CorruptPayload unless the order can begin with what is declared."""
    check_spec(order, workload, declaration.spec)
    if any(isinstance(item, SameAsInput | SameAsBefore) for item in declaration.items):
        raise CorruptPayload(
            "Only a result names tensors of the state that its segment began with.", session_id=order.session
        )


def check_told(event: SegmentEvent, order: SegmentOrder, node: NodeId, workload: Workload) -> None:
    """Raise CorruptPayload where `node`, which runs the order, tells of a step that is none of it."""
    nodes = {node, *(onward.node for onward in order.onward)}
    last = order.onward[-1].stop_step if order.onward else order.stop_step
    match event:
        case StepDone() | PreviewFrame():
            known = (
                order.start_step <= event.step < last and event.stage == workload.stage_of(event.step).name
            )
            if not known or (isinstance(event, StepDone) and event.node not in nodes):
                raise CorruptPayload(f"Node {node} tells of a step that is not of its segment.", node_id=node)
        case Hop() if not nodes.issuperset((event.source, event.target)):
            raise CorruptPayload(f"Node {node} tells of a hand-on between others.", node_id=node)


def check_finite(state: Latent, node: NodeId) -> None:
    """Raise EngineFailure where something is not a number."""
    for name, tensor in state.items():
        if not np.isfinite(tensor).all():
            raise EngineFailure(f"Node {node} computed values in {name} that are not numbers.", node_id=node)
