"""Pure decisions: from a workload and what is known of the nodes to a plan. `POLICIES` lists our policies."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.planner.cloud_only import CloudOnlyPolicy
from eapg_split.planner.device_only import DeviceOnlyPolicy
from eapg_split.planner.edge_only import EdgeOnlyPolicy
from eapg_split.planner.policy import Objective, PlanView, Policy
from eapg_split.planner.pyramid import PyramidPolicy

POLICIES: Final[Mapping[str, type[Policy]]] = MappingProxyType(
    {
        "pyramid": PyramidPolicy,
        "device-only": DeviceOnlyPolicy,
        "edge-only": EdgeOnlyPolicy,
        "cloud-only": CloudOnlyPolicy,
    }
)


def resolve(name: str) -> Policy:
    """The policy of that name, or of a class that is named "module:Class" and takes no arguments.

    Raises InvalidRequest when there is none.
    """
    if name in POLICIES:
        return POLICIES[name]()
    module, separator, attribute = name.partition(":")
    if not separator:
        known = ", ".join(POLICIES)
        raise InvalidRequest(f'There is no policy {name[:64]!r}: use one of {known}, or "module:Class".')
    try:
        policy = getattr(importlib.import_module(module), attribute)()
    except Exception as error:  # a stranger's module may raise anything
        raise InvalidRequest(
            f"The policy {name[:128]!r} cannot be loaded ({error}): correct its name."
        ) from error
    if not callable(getattr(policy, "plan", None)):
        raise InvalidRequest(
            f"{name[:128]!r} is not a policy: give it a method plan(view) that returns a Plan."
        )
    return policy  # type: ignore[no-any-return]


def fallbacks() -> tuple[Policy, ...]:
    """What plans when another policy does not, in the order in which they are asked."""
    return (PyramidPolicy(),)


__all__ = ["POLICIES", "Objective", "PlanView", "Policy", "fallbacks", "resolve"]
