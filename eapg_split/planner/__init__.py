"""Pure decisions: from a workload and what is known of the nodes to a plan. `POLICIES` lists our policies."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eapg_split.planner.cloud_only import CloudOnlyPolicy
from eapg_split.planner.device_only import DeviceOnlyPolicy
from eapg_split.planner.edge_only import EdgeOnlyPolicy
from eapg_split.planner.policy import Objective, PlanView, Policy
from eapg_split.planner.pyramid import PyramidPolicy
from eapg_split.planner.registry import Listed, absolute, list_policies, load_policy

POLICIES: Final[Mapping[str, type[Policy]]] = MappingProxyType(
    {
        "pyramid": PyramidPolicy,
        "device-only": DeviceOnlyPolicy,
        "edge-only": EdgeOnlyPolicy,
        "cloud-only": CloudOnlyPolicy,
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
    return (PyramidPolicy(),)


__all__ = [
    "POLICIES",
    "Listed",
    "Objective",
    "PlanView",
    "Policy",
    "absolute",
    "available",
    "fallbacks",
    "resolve",
]
