"""Pure decisions: from a workload and what is known of the nodes to a plan. `POLICIES` lists our policies."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eapg_split.planner.bandit import BanditPolicy
from eapg_split.planner.cloud_only import CloudOnlyPolicy
from eapg_split.planner.device_only import DeviceOnlyPolicy
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.planner.edge_only import EdgeOnlyPolicy
from eapg_split.planner.greedy import GreedyPolicy
from eapg_split.planner.mincut import MincutPolicy
from eapg_split.planner.neurosurgeon import NeurosurgeonPolicy
from eapg_split.planner.policy import Objective, PlanView, Policy
from eapg_split.planner.pyramid import PyramidPolicy
from eapg_split.planner.random_valid import RandomValidPolicy
from eapg_split.planner.registry import Listed, absolute, is_code, is_path, list_policies, load_policy
from eapg_split.planner.shortest_path import ShortestPathPolicy

POLICIES: Final[Mapping[str, type[Policy]]] = MappingProxyType(
    {
        "dp-adaptive": DpAdaptivePolicy,
        "dp-static": DpStaticPolicy,
        "pyramid": PyramidPolicy,
        "device-only": DeviceOnlyPolicy,
        "edge-only": EdgeOnlyPolicy,
        "cloud-only": CloudOnlyPolicy,
        "neurosurgeon": NeurosurgeonPolicy,
        "greedy": GreedyPolicy,
        "mincut": MincutPolicy,
        "shortest-path": ShortestPathPolicy,
        "bandit": BanditPolicy,
        "random-valid": RandomValidPolicy,
    }
)


def resolve(name: str) -> Policy:
    """A new policy object by the name of one of ours, an installed one, "module:Class" or the path of a file.

    Raises InvalidRequest when there is none, or when it cannot be loaded.
    """
    return load_policy(name, POLICIES)


def available() -> tuple[Listed, ...]:
    """Every policy that can be named: ours and the installed ones."""
    return list_policies(POLICIES)


def fallbacks() -> tuple[Policy, ...]:
    """What plans when another policy does not, in the order in which they are asked."""
    return (DpStaticPolicy(), PyramidPolicy())


__all__ = [
    "POLICIES",
    "Listed",
    "Objective",
    "PlanView",
    "Policy",
    "absolute",
    "available",
    "fallbacks",
    "is_code",
    "is_path",
    "resolve",
]
