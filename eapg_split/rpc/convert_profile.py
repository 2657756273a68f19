"""A node's costs and their messages. What makes no sense is no profile: the planner then guesses, and goes on."""

import math
from types import MappingProxyType
from typing import Final

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest
from eapg_split.rpc.v1 import node_pb2
from eapg_split.runtime.profile_store import MOST_STAGES

_MOST_NAME: Final = 32
_LONGEST_S: Final = 3600.0
_SLOWEST: Final = 1e3  # operations a second
_FASTEST: Final = 1e18
_MOST_WATTS: Final = 1e5


def costs_to_proto(profile: Profile | None) -> list[node_pb2.StageCost]:
    """One message for each stage; none without a profile."""
    if profile is None:
        return []
    return [
        node_pb2.StageCost(
            stage=stage,
            overhead_s=cost.overhead_s,
            flops_per_s=cost.flops_per_s,
            entry_flops_per_s=cost.entry_flops_per_s if math.isfinite(cost.entry_flops_per_s) else 0.0,
            load_s=cost.load_s,
            memory_bytes=cost.memory_bytes,
            joules_per_s=cost.joules_per_s or 0.0,
            uncertain=cost.uncertain,
        )
        for stage, cost in profile.stages.items()
    ]


def profile_from_proto(message: node_pb2.NodeDescription) -> Profile | None:
    """The node's profile; None where it has none, or one that cannot be true."""
    if not 1 <= len(message.costs) <= MOST_STAGES:
        return None
    try:
        stages = {_name(each.stage): _cost(each) for each in message.costs}
    except InvalidRequest:
        return None
    if len(stages) != len(message.costs):
        return None
    return Profile(NodeId(message.node), message.engine, message.fingerprint, MappingProxyType(stages))


def _cost(message: node_pb2.StageCost) -> StageCost:
    rates = (message.flops_per_s, message.entry_flops_per_s or _FASTEST)
    fits = (
        all(_SLOWEST <= rate <= _FASTEST for rate in rates)
        and all(0 <= seconds <= _LONGEST_S for seconds in (message.overhead_s, message.load_s))
        and 0 <= message.joules_per_s <= _MOST_WATTS
    )
    if not fits:
        raise InvalidRequest("A node states a cost that is impossible.")
    return StageCost(
        message.overhead_s,
        message.flops_per_s,
        message.load_s,
        message.memory_bytes,
        message.joules_per_s or None,
        message.uncertain,
        message.entry_flops_per_s or math.inf,
    )


def _name(text: str) -> str:
    if not (1 <= len(text) <= _MOST_NAME and text.isprintable()):
        raise InvalidRequest("A stage's name is 1 to 32 characters.")
    return text
