"""A scenario at every point of a grid: each is the scenario with values set, run under every policy and seed."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.planner import resolve
from simulations.building import build
from simulations.replications import MAX_REPLICATIONS
from simulations.results import Interval, intervals
from simulations.scenario import Scenario
from simulations.settings import Parameter, Setting
from simulations.tasks import Replication, Task

MAX_PARAMETERS: Final = 8
MAX_POINTS: Final = 10_000
_FLAGS: Final = {"policies": "--policy", "seeds": "--seeds"}


@dataclass(frozen=True)
class Row:
    """What a policy made of a point, over all seeds."""

    settings: tuple[Setting, ...]
    policy: str
    figures: Mapping[str, Interval]


@dataclass(frozen=True)
class Sweep:
    """What is tried. `until_s` is how long, None as each point says.

    Raises InvalidRequest for a parameter or a value that the scenario has no room for, and for too many of them.
    """

    scenario: Scenario
    parameters: tuple[Parameter, ...]
    policies: tuple[str, ...]
    seeds: Sequence[int]
    until_s: float | None = None
    jobs: int | None = None

    def __post_init__(self) -> None:
        paths = [each.path for each in self.parameters]
        if not 1 <= len(paths) <= MAX_PARAMETERS:
            raise InvalidRequest(
                f"A sweep has 1 to {MAX_PARAMETERS} parameters, not {len(paths)}: name them like"
                " --set links.rate_mbps=1,10,100."
            )
        for path in paths:
            if paths.count(path) > 1:
                raise InvalidRequest(f"{path} is set twice: name all its values at once.")
            if path in _FLAGS:
                raise InvalidRequest(f"{path} is no part of what is simulated: use {_FLAGS[path]}.")
        if self.count > MAX_POINTS or self.runs > MAX_REPLICATIONS:
            raise InvalidRequest(
                f"These are {self.count} points and {self.runs} runs; {MAX_POINTS} and {MAX_REPLICATIONS} are"
                " allowed: try fewer values or seeds."
            )
        for name in self.policies:
            resolve(name)
        self._check_values()

    @property
    def count(self) -> int:
        """How many points there are."""
        return math.prod(len(each.values) for each in self.parameters)

    @property
    def runs(self) -> int:
        """How many runs that takes."""
        return self.count * len(self.policies) * len(self.seeds)

    def points(self) -> Iterator[tuple[Setting, ...]]:
        """The values of all parameters; the last one changes first."""
        return product(*(each.settings() for each in self.parameters))

    def tasks(self) -> Iterator[Task]:
        """Every run: point by point, policy by policy, seed by seed."""
        for settings in self.points():
            scenario = self.scenario.having(settings)
            until_s = self.until_s or scenario.until_s
            for policy, seed in product(self.policies, self.seeds):
                yield Task(scenario, policy, seed, until_s, self.jobs)

    def rows(self, runs: Iterable[Replication]) -> Iterator[Row]:
        """A row for each point and policy, from what came of the tasks in their order."""
        coming = iter(runs)
        for settings, policy in product(self.points(), self.policies):
            found = intervals([run.figures for run in islice(coming, len(self.seeds))])
            yield Row(settings, policy, found)

    @cached_property
    def axis(self) -> Parameter | None:
        """The first parameter whose values are all numbers."""
        return next((each for each in self.parameters if all(map(_number, each.values))), None)

    def _check_values(self) -> None:
        """Tries each value once, beside the first ones of the others, so that a typo is found before the first run."""
        first = tuple(Setting(each.path, each.values[0]) for each in self.parameters)
        for number, parameter in enumerate(self.parameters):
            for setting in parameter.settings():
                if setting != first[number] or number == 0:
                    settings = (*first[:number], setting, *first[number + 1 :])
                    build(self.scenario.having(settings), self.seeds[0])


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
