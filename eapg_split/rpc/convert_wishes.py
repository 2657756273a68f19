"""Flat pair for what a job's plans are to mind."""

import math
from typing import Final

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest
from eapg_split.planner.policy import MAX_CUTS, Goal, Objective
from eapg_split.rpc.v1 import job_pb2

_MOST: Final = 64  # pins, and caps
_MAX_TEXT: Final = 200


def wishes_to_proto(wishes: Objective) -> job_pb2.Wishes:
    return job_pb2.Wishes(
        goal=wishes.goal,
        max_entropy_bits=0.0 if math.isinf(wishes.max_entropy_bits) else wishes.max_entropy_bits,
        max_cuts=wishes.max_cuts,
        pins=dict(wishes.pins),
        memory_caps={str(node): size for node, size in wishes.memory_caps.items()},
    )


def wishes_from_proto(message: job_pb2.Wishes) -> Objective:
    """Raises InvalidRequest for what no plan can mind."""
    try:
        goal = Goal(message.goal or Goal.BALANCED)
    except ValueError:
        raise InvalidRequest(
            f"The objective must be one of {', '.join(Goal)}, not {message.goal[:32]!r}."
        ) from None
    if not 0 <= message.max_entropy_bits < math.inf:
        raise InvalidRequest("max_entropy_bits must be a number of bits, or 0 for no limit.")
    max_cuts = message.max_cuts if message.HasField("max_cuts") else Objective().max_cuts
    if max_cuts > MAX_CUTS:
        raise InvalidRequest(f"A plan may have at most {MAX_CUTS} cuts: ask for fewer.")
    names = (*message.pins, *message.pins.values(), *message.memory_caps)
    if max(len(message.pins), len(message.memory_caps)) > _MOST or any(
        len(name) > _MAX_TEXT for name in names
    ):
        raise InvalidRequest(
            f"A job has at most {_MOST} pins and {_MOST} caps, of names of {_MAX_TEXT} letters."
        )
    return Objective(
        goal=goal,
        max_entropy_bits=message.max_entropy_bits or math.inf,
        max_cuts=max_cuts,
        pins={stage: NodeId(node) for stage, node in message.pins.items()},
        memory_caps={NodeId(node): size for node, size in message.memory_caps.items()},
    )
