"""From the table of a node to what it is."""

from collections.abc import Mapping
from typing import Any, Final

from eapg_split.domain.profile import StageCost
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.battery import Battery
from eapg_split.planner.models.governor import PHONE_GOVERNOR, Governor
from eapg_split.planner.models.radio import Technology
from eapg_split.planner.models.thermal import ThermalModel
from simulations.body import Cell
from simulations.node_specs import NodeSpec
from simulations.presets import NODES, Table

_NODE: Final = {"tier": "device", "flops_per_s": 20e9, "overhead_s": 0.005, "load_s": 0.5}


def spec_of(name: NodeId, table: Table, stages: set[str], profiled: Mapping[str, StageCost]) -> NodeSpec:
    """One node: its table over its preset over the defaults. Raises InvalidRequest."""
    table = {**_NODE, **NODES.get(table.get("like", ""), {}), **table}
    strange = {*table.get("stages", ()), *table.get("entries", ())} - stages
    if strange:
        raise InvalidRequest(
            f"no workload has a stage {min(strange)!r}: there are {', '.join(sorted(stages))}."
        )

    def cost(flops_per_s: float, entry_flops_per_s: float) -> StageCost:
        watts = table.get("active_w")
        return StageCost(
            table["overhead_s"],
            flops_per_s,
            table["load_s"],
            joules_per_s=watts,
            entry_flops_per_s=entry_flops_per_s,
        )

    own, entries = table.get("stages", {}), table.get("entries", {})
    rates = {stage: own.get(stage, table["flops_per_s"]) for stage in sorted(stages)}
    keys = ("price_per_s", "slots", "engines", "batch", "batch_cost", "warm", "load", "drift", "noise")
    return NodeSpec(
        name,
        Tier(table["tier"]),
        {stage: profiled.get(stage) or cost(rate, entries.get(stage, rate)) for stage, rate in rates.items()},
        memory_bytes=int(table["memory_mb"] * 1e6) if "memory_mb" in table else None,
        cell=_cell(table["battery"]) if "battery" in table else None,
        heat=_heat(table["heat"]) if "heat" in table else None,
        place=(float(table["place"][0]), float(table["place"][1])) if "place" in table else None,
        technology=Technology(table["technology"]) if "technology" in table else None,
        **{key: table[key] for key in keys if key in table},
    )


def _heat(table: Mapping[str, Any]) -> ThermalModel:
    """Raises InvalidRequest for levels that no governor has."""
    usual = PHONE_GOVERNOR
    ratios, up_c = table.get("ratios", usual.ratios), table.get("up_c", usual.up_c)
    return ThermalModel(air_c=table.get("air_c", 25.0), governor=Governor(tuple(ratios), tuple(up_c)))


def _cell(table: Mapping[str, Any]) -> Cell:
    begin_s, end_s = table.get("plugged_s", (0.0, 0.0))
    battery = Battery(capacity_wh=table.get("capacity_wh", 19.0))
    return Cell(table.get("charge", 1.0), battery, table.get("charger_w", 0.0), (begin_s, end_s))
