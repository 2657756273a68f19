"""A scenario file out of fitted models, and what it says of runs that it was not fitted to."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eapg_split.errors import InvalidRequest
from eapg_split.planner import is_code, resolve
from eapg_split.planner.priors import assumed_link
from simulations.building import build
from simulations.calibration import Calibration
from simulations.fits import LinkFit, NodeFit
from simulations.outcomes import End
from simulations.recorded import RecordedRun
from simulations.scenario import DEFAULT_POLICIES, Scenario, parse_scenario
from simulations.simulation import simulate

_SEEDS: Final = 5
_MOST_POLICIES: Final = 32  # that a scenario takes
_PATIENCE: Final = 20.0  # times as long as jobs took
_LEAST_NOISE: Final = 1e-4
_DIGITS: Final = 6
_SAMPLED_SIGMA: Final = 0.02  # of a rate, below which it is always the same


@dataclass(frozen=True)
class Checked:
    """A run that was not fitted to: its seconds, and the mean of those that the models foretell (NaN: no end)."""

    name: str
    policy: str
    seconds: float
    predicted_s: float

    @property
    def ended(self) -> bool:
        """Whether all that was foretold came to its end."""
        return math.isfinite(self.predicted_s)

    @property
    def error(self) -> float:
        """How much more is foretold, as a share."""
        return self.predicted_s / self.seconds - 1


def scenario_text(found: Calibration, title: str) -> str:
    """The file: nodes, links, and the jobs of the runs at the moments at which they came."""
    lines = [f"title = {_value(title)}", f"until_s = {_value(_until_s(found.runs))}"]
    policies = list(dict.fromkeys(run.policy for run in found.runs if not is_code(run.policy)))[
        :_MOST_POLICIES
    ]
    lines += [f"policies = {_value(policies or list(DEFAULT_POLICIES))}", ""]
    for name, table in _workloads(found.runs).items():
        lines += _table(f"workloads.{name}", table)
    for node in found.nodes:
        lines += _table(f"nodes.{json.dumps(node.id)}", _node(node, found.runs))
    for link in _links(found):
        lines += _table("[links]", link)
    return "\n".join(lines)


def check(found: Calibration, runs: Sequence[RecordedRun], seeds: int = _SEEDS) -> list[Checked]:
    """What the models say of other runs, under the policies that ran. Raises InvalidRequest where one is not here."""
    checked = []
    for run in runs:
        if is_code(run.policy):  # a log may be a stranger's
            raise InvalidRequest(f"{run.name} ran under {run.policy!r}, which is code: check by another run.")
        own = replace(found, runs=(run,))
        scenario = parse_scenario(Path("calibrated.toml"), scenario_text(own, "a run"))
        checked.append(
            Checked(run.name, run.policy, run.wall_s, found.around_s + _predicted_s(scenario, run, seeds))
        )
    return checked


def _predicted_s(scenario: Scenario, run: RecordedRun, seeds: int) -> float:
    seconds = []
    for seed in range(1, seeds + 1):
        setup = build(scenario, seed)
        result = simulate(
            setup, (run.policy, lambda: resolve(run.policy)), seed=seed, until_s=scenario.until_s, jobs=1
        )
        job = result.outcomes[0]
        seconds.append(job.latency_s if job.end is End.DONE else math.nan)
    return sum(seconds) / len(seconds)


# tables


def _workloads(runs: Sequence[RecordedRun]) -> dict[str, dict[str, Any]]:
    """Jobs that asked for the same are one workload. None begins before the one before it had ended."""
    first_s = min(run.began_s for run in runs)
    several = len({run.device.id for run in runs}) > 1
    tables, moments, free_s = list[dict[str, Any]](), list[list[float]](), dict[str, float]()
    for run in sorted(runs, key=lambda run: run.began_s):
        request, objective = run.request, run.objective
        table: dict[str, Any] = {
            "seconds": request.seconds,
            "fps": request.fps,
            "width": request.width,
            "height": request.height,
            "steps": list(request.steps),
            "privacy": str(request.privacy),
            "codec": objective.codec,
            "goal": str(objective.goal),
        }
        if math.isfinite(run.deadline_s):
            table["deadline_s"] = run.deadline_s
        if several:
            table["devices"] = run.device.id
        at_s = max(run.began_s - first_s, free_s.get(run.device.id, 0.0))
        free_s[run.device.id] = at_s + run.wall_s
        if table not in tables:
            tables.append(table)
            moments.append([])
        moments[tables.index(table)].append(at_s)
    return {
        f"job-{number}": {**table, "at_s": at_s}
        for number, (table, at_s) in enumerate(zip(tables, moments, strict=True), start=1)
    }


def _until_s(runs: Sequence[RecordedRun]) -> float:
    first_s = min(run.began_s for run in runs)
    return max(run.began_s - first_s for run in runs) + _PATIENCE * sum(run.wall_s for run in runs)


def _node(node: NodeFit, runs: Sequence[RecordedRun]) -> dict[str, Any]:
    costs = next((each.costs for run in runs for each in run.nodes if each.id == node.id), {})
    needed = [stage for run in runs for stage in run.workload.stages]
    names = list(dict.fromkeys(stage.name for stage in needed))
    rates = {
        name: node.stages[name].flops_per_s if name in node.stages else costs[name].flops_per_s
        for name in names
        if name in node.stages or name in costs
    }
    entries = {
        name: fit.entry_flops_per_s
        for name, fit in node.stages.items()
        if name in names and fit.entry_flops_per_s is not None
    }
    strain = node.strain
    table: dict[str, Any] = {
        "tier": str(node.tier),
        "overhead_s": node.pause_s,
        "load_s": node.load_s,
        "warm": node.load_s == 0,
        "noise": max(_LEAST_NOISE, min(2.0, node.noise)),
        "stages": rates,
    }
    if entries:
        table["entries"] = entries
    if node.price_per_s:
        table["price_per_s"] = node.price_per_s
    if node.memory_bytes:
        table["memory_mb"] = node.memory_bytes / 1e6
    if strain.active_w:
        table["active_w"] = strain.active_w
    if strain.charge:
        table["battery"] = {"charge": strain.charge}
    if strain.levels:
        table["heat"] = {
            "ratios": [ratio for ratio, _ in strain.levels],
            "up_c": [up_c for _, up_c in strain.levels[1:]],
        }
    return table


def _links(found: Calibration) -> Iterable[dict[str, Any]]:
    """Each direction by itself; those of which nothing was seen have the figures that planners assume."""
    tiers = {node.id: node.tier for node in found.nodes}
    fitted = {link.ends: link for link in found.links}
    wanted = {link.ends for run in found.runs for link in run.links if not link.relayed}
    wanted |= {(b, a) for a, b in (*wanted, *fitted)}
    for ends in sorted(wanted | fitted.keys()):
        link = fitted.get(ends)
        if link is None:
            back, prior = fitted.get((ends[1], ends[0])), assumed_link(tiers[ends[0]], tiers[ends[1]])
            link = back or LinkFit(ends, prior.bits_per_s, 0.0, 0.0, prior.rtt_s / 2, 0)
        table: dict[str, Any] = {
            "from": ends[0],
            "to": ends[1],
            "one_way": True,
            "rate_mbps": link.bits_per_s / 1e6,
            "delay_ms": 1e3 * link.delay_s,
        }
        if link.sigma > _SAMPLED_SIGMA and link.memory_s:
            table |= {"sigma": link.sigma, "memory_s": link.memory_s}
        yield table


# TOML


def _table(name: str, table: Mapping[str, Any]) -> list[str]:
    return [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items()), ""]


def _value(value: object) -> str:
    """A value as TOML writes it; numbers to six digits."""
    match value:
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return str(value)
        case float():
            short = f"{value:.{_DIGITS}g}"
            return short if any(letter in short for letter in ".e") else f"{short}.0"
        case Mapping():
            return (
                "{ " + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + " }"
            )
        case Sequence():
            return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"a {type(value).__name__} has no place in a scenario")
