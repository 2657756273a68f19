"""Segments whose state goes from node to node without coming home in between."""

from collections.abc import Callable
from itertools import pairwise

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import EapgError
from eapg_split.planner.routes import Routes

Chain = tuple[Segment, ...]
"""The segment that runs, and those to whose nodes its state is handed on."""


def chain_at(
    plan: Plan, index: int, is_own: Callable[[NodeId], bool], routes: Routes, workload: Workload
) -> Chain:
    """The plan's segment of that index, and as many after it as one node may hand to the next."""
    chain = [plan.segments[index]]
    for segment in plan.segments[index + 1 :]:
        pair = chain[-1], segment
        if any(is_own(each.node) for each in pair):
            break
        if segment.node in {part.node for part in chain}:
            break  # it has the session's first order still, and takes no second one
        if not routes.hands_on(*pair, workload):
            break
        chain.append(segment)
    return tuple(chain)


def blame(error: EapgError, chain: Chain, routes: Routes) -> None:
    """A state that could not be handed on comes home the next time."""
    for before, after in pairwise(chain):
        if error.node_id == after.node:
            routes.broke(before.node, after.node)
