"""Every policy over recorded and synthetic traces of links, beside whoever knows the trace.

The acceptance figures are of `dp-adaptive`: the mean of its seconds over the oracle's, with and without blackouts,
and how often it changes a plan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from figures import Row
from planner_world import CLOUD, EDGE, Outcome, Run, Setting, World

from eapg_split.domain.request import Privacy
from eapg_split.planner import POLICIES, resolve
from eapg_split.planner.estimators import ESTIMATORS, NO_PRIOR
from eapg_split.planner.policy import Policy
from simulations import traces
from simulations.traces import LinkStatistics, RateTrace, read_throughput, synthetic, with_blackouts

SUBJECT: Final = "dp-adaptive"
CALM_BAR, BLACKOUT_BAR, SWITCH_BAR = 1.05, 1.25, 0.3
_LEARNING: Final = ("bandit",)  # one object for all jobs of a scenario
_SECONDS: Final = 400
_PRIVATE: Final = Setting(privacy=Privacy.PROMPT_LOCAL)
_CROSSOVER: Final = Setting((0.1, 0.35, 0.9, 0.9, 1.0), (2.0, 8.0, 32.0, 32.0, 32.0))


@dataclass(frozen=True)
class Scenario:
    """Links of one kind; `calm` where nothing is ever cut off for long."""

    name: str
    traces: Sequence[RateTrace]
    setting: Setting = field(default_factory=Setting)
    calm: bool = True


@dataclass(frozen=True)
class Result:
    """What a policy made of a scenario's jobs: seconds over the oracle's, and changes of plan a job."""

    ratios: Sequence[float]
    outcomes: Sequence[Outcome]

    @property
    def mean(self) -> float:
        return float(np.mean(self.ratios))

    @property
    def switches(self) -> float:
        return float(np.mean([each.switches for each in self.outcomes]))

    def __str__(self) -> str:
        p95, worst = np.percentile(self.ratios, 95), max(self.ratios)
        return f"{self.mean:.3f} (p95 {p95:.2f}, worst {worst:.2f}; {self.switches:.2f} switches)"


def scenarios(folder: Path | None, *, jobs: int) -> Iterator[Scenario]:
    """Recorded links where `folder` has them, and synthetic ones; the first factor makes an uplink of a downlink."""
    if folder is not None:
        for name, sub in (("HSDPA, recorded", "cooked_3gp"), ("Oboe, recorded", "traces_oboe")):
            files = sorted((folder / "abr-hsdpa-oboe" / sub).iterdir())
            chosen = files[:: max(1, len(files) // jobs)][:jobs]
            yield Scenario(name, [read_throughput(path) for path in chosen])
    yield Scenario("LTE uplink, synthetic", _synthetic(traces.LTE_UPLINK, 1.0, jobs))
    yield Scenario("4G x .3, synthetic", _synthetic(traces.LTE_4G, 0.3, jobs))
    yield Scenario("5G driving x .2, synthetic", _synthetic(traces.DRIVING_5G, 0.2, jobs))
    yield Scenario("prompt kept, LTE uplink", _synthetic(traces.LTE_UPLINK, 1.0, jobs), _PRIVATE)
    yield Scenario("prompt kept, 5G driving x .2", _synthetic(traces.DRIVING_5G, 0.2, jobs), _PRIVATE)
    yield Scenario("crossover on 4G x .3", _synthetic(traces.LTE_4G, 0.3, jobs), _CROSSOVER)
    dark = [
        with_blackouts(trace, 900 + seed) for seed, trace in enumerate(_synthetic(traces.LTE_4G, 0.3, jobs))
    ]
    yield Scenario("4G x .3 with blackouts", dark, calm=False)
    yield Scenario("prompt kept, with blackouts", dark, _PRIVATE, calm=False)
    yield Scenario("crossover with blackouts", dark, _CROSSOVER, calm=False)


def _synthetic(kind: LinkStatistics, factor: float, count: int) -> list[RateTrace]:
    return [synthetic(kind, _SECONDS, seed).scaled(factor) for seed in range(count)]


def replay(
    scenario: Scenario,
    names: Sequence[str],
    *,
    estimator: str = "ewma",
    open_policy: Callable[[str], Policy] = resolve,
) -> dict[str, Result]:
    """Each policy on one job a trace, at the same moments."""
    starts = np.random.Generator(np.random.Philox(7)).uniform(20.0, 300.0, len(scenario.traces))
    worlds = [World(scenario.setting, trace) for trace in scenario.traces]
    oracles = [world.oracle_s(start) for world, start in zip(worlds, starts, strict=True)]
    results = {}
    for name in names:
        kept, outcomes = open_policy(name), []
        for world, start in zip(worlds, starts, strict=True):
            policy = kept if name in _LEARNING else open_policy(name)
            ways: list[tuple[str, str]] = [(way, node) for way in ("up", "down") for node in (EDGE, CLOUD)]
            estimators = {way: ESTIMATORS[estimator](NO_PRIOR) for way in ways}
            outcomes.append(Run(world, policy, estimators, float(start)).finish())
        ratios = [each.seconds / best for each, best in zip(outcomes, oracles, strict=True)]
        results[name] = Result(ratios, outcomes)
    return results


def measure(folder: Path | None, *, quick: bool, say: Callable[[str], None]) -> Iterator[Row]:
    """Rows of every scenario: ours against the bars, the other policies beside it."""
    names = (SUBJECT, *(name for name in POLICIES if name != SUBJECT))
    for scenario in scenarios(folder, jobs=8 if quick else 40):
        results = replay(scenario, names)
        for name, result in results.items():
            say(f"  {scenario.name}: {name} {result}")
        yield from rows(scenario, results)


def rows(scenario: Scenario, results: Mapping[str, Result]) -> Iterator[Row]:
    """What is published of a scenario."""
    ours = results[SUBJECT]
    beside = {name: round(result.mean, 3) for name, result in results.items() if name != SUBJECT}
    bar = CALM_BAR if scenario.calm else BLACKOUT_BAR
    label = f"{scenario.name}: seconds over the oracle's, mean of {len(ours.ratios)} jobs"
    yield Row(label, round(ours.mean, 3), beside, f"<= {bar}", ours.mean <= bar)
    if scenario.calm:
        switches = {name: result.switches for name, result in results.items() if name != SUBJECT}
        label = f"{scenario.name}: changes of plan a job"
        yield Row(label, ours.switches, switches, f"<= {SWITCH_BAR}", ours.switches <= SWITCH_BAR)
