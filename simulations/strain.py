"""What work does to a node, as it told itself: how its clock follows its heat, and what it draws from its battery."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import numpy as np

from eapg_split.domain.topology import NodeId
from eapg_split.planner.models.battery import PHONE_BATTERY
from simulations.recorded import RecordedRun

_LEVEL: Final = 0.05  # of the clock, by which levels are told apart
_LEAST_LOOKS: Final = 3  # of a level
_LEAST_CHARGE: Final = 0.02  # that must go, as telemetry counts in hundredths
_LEAST_RUNS: Final = 3  # that tell computing from waiting


@dataclass(frozen=True)
class Strain:
    """Clock ratios, falling, with the temperature in Celsius from which each but the first holds; none where unknown.

    `active_w` and `idle_w` are watts while it computes and while it waits, None where nothing shows them; `charge` is
    that of its battery when the first run began, None on mains. `notes` say what there was too little of.
    """

    levels: tuple[tuple[float, float], ...] = ()
    active_w: float | None = None
    idle_w: float | None = None
    charge: float | None = None
    notes: tuple[str, ...] = ()


def strain_of(node: NodeId, runs: Sequence[RecordedRun]) -> Strain:
    """What the looks at a node show."""
    readings = [look for run in runs for _, look in run.looks.get(node, ())]
    notes = list[str]()
    levels = _levels([(look["temperature_c"], look["clock_ratio"]) for look in readings
                      if {"temperature_c", "clock_ratio"} <= look.keys()])  # fmt: skip
    if not levels and any(look.get("clock_ratio", 1.0) < 1 - _LEVEL for look in readings):
        notes.append(
            f"The clock of {node} did not change with its temperature: its steps are as slow as they were."
        )
    on_battery = any(look.get("plugged", 1.0) < 0.5 and "charge" in look for look in readings)
    active_w = idle_w = charge = None
    if on_battery:
        charge = next(look["charge"] for look in readings if "charge" in look)
        active_w, idle_w, note = _draw(node, runs)
        notes += note
    return Strain(levels, active_w, idle_w, charge, tuple(notes))


def _levels(seen: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Clock ratios that occur often, and the lowest temperature of each; none unless hotter is slower throughout."""
    groups: dict[int, list[tuple[float, float]]] = {}
    for temperature_c, ratio in seen:
        groups.setdefault(round(ratio / _LEVEL), []).append((temperature_c, ratio))
    kept = [groups[key] for key in sorted(groups, reverse=True) if len(groups[key]) >= _LEAST_LOOKS]
    levels = [
        (median(ratio for _, ratio in group), min(temperature for temperature, _ in group)) for group in kept
    ]
    rising = all(a[1] < b[1] for a, b in pairwise(levels))
    return tuple(levels) if len(levels) > 1 and rising else ()


def _draw(node: NodeId, runs: Sequence[RecordedRun]) -> tuple[float | None, float | None, Iterable[str]]:
    """Watts by the node's own meter, else by the charge that went, of a battery of the usual capacity."""
    metered = [_metered(node, run) for run in runs]
    active, idle = [w for pair in metered for w in pair[0]], [w for pair in metered for w in pair[1]]
    if len(active) >= _LEAST_LOOKS and len(idle) >= _LEAST_LOOKS:
        return median(active), median(idle), ()
    rows, joules = list[tuple[float, float]](), list[float]()
    for run in runs:
        charges = [(at_s, look["charge"]) for at_s, look in run.looks.get(node, ()) if "charge" in look]
        if len(charges) > 1:
            (first_s, first), (last_s, last) = charges[0], charges[-1]
            busy_s = sum(
                step.seconds for step in run.steps if step.node == node and first_s <= step.start_s < last_s
            )
            rows.append((busy_s, max(0.0, last_s - first_s - busy_s)))
            joules.append(PHONE_BATTERY.energy_j(first) - PHONE_BATTERY.energy_j(last))
    gone = sum(joules) / PHONE_BATTERY.energy_j(1.0)
    if gone < _LEAST_CHARGE or len(rows) < _LEAST_RUNS:
        return None, None, (f"The battery of {node} lost too little to say what it draws.",)
    found, *_ = np.linalg.lstsq(np.array(rows), np.array(joules), rcond=None)
    active_w, idle_w = float(found[0]), float(found[1])
    if not 0 < idle_w < active_w:
        active_w = idle_w = sum(joules) / sum(map(sum, rows))
    return active_w, idle_w, (f"The watts of {node} hold for a battery of {PHONE_BATTERY.capacity_wh:g} Wh.",)


def _metered(node: NodeId, run: RecordedRun) -> tuple[list[float], list[float]]:
    """Watts that the node told while it computed, and while it did not."""
    spans = [(step.start_s, step.start_s + step.seconds) for step in run.steps if step.node == node]
    active, idle = list[float](), list[float]()
    for at_s, look in run.looks.get(node, ()):
        if "power_w" in look:
            (active if any(begin <= at_s < end for begin, end in spans) else idle).append(look["power_w"])
    return active, idle
