"""A scenario as a Gymnasium environment, `eapg_split/Placement-v0` (extra `gym`): importing this registers it.

An agent places the jobs of a scenario, one stage after the other. It sees what a policy sees, and nothing else.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from eapg_split.domain.plan import Plan
from eapg_split.errors import InvalidRequest
from eapg_split.planner.estimates import NodeEstimate
from eapg_split.planner.optimal import unmeasured_plan
from eapg_split.planner.policy import PlanView
from eapg_split.planner.stage_choices import (
    CODEC_FEATURES,
    CODECS,
    JOB_FEATURES,
    MAX_NODES,
    NODE_FEATURES,
    Choice,
    StageChoices,
)
from eapg_split.planner.weights import Weights, weights_of
from simulations.building import build
from simulations.dialogue import Dialogue
from simulations.outcomes import End, Outcome
from simulations.scenario import read_scenario
from simulations.settings import read_parameter
from simulations.simulation import Setup, simulate

ID: Final = "eapg_split/Placement-v0"
PENALTY: Final = 60.0
_SEEDS: Final = 2**31

Observation = dict[str, NDArray[np.float32]]
Action = NDArray[np.int64]


@dataclass(frozen=True)
class _Asked:
    """A job asks where a stage shall go."""

    job: int
    choice: Choice


_Ask = Callable[[_Asked], tuple[int, int]]


@dataclass
class _Account:
    """What the jobs of a run cost, as they end; each by the goal of its plan, and the battery as it was then."""

    setup: Setup
    penalty: float
    weights: dict[int, Weights] = field(default_factory=dict)
    open: list[Outcome] = field(default_factory=list)

    def arrived(self, job: Outcome) -> None:
        """One more job, which is filled as it runs."""
        self.open.append(job)

    def settled(self, *, over: bool) -> list[dict[str, Any]]:
        """The jobs that ended since this was asked last; when it is `over`, also those that did not."""
        ended = [job for job in self.open if over or job.end is not End.OPEN]
        self.open = [] if over else [job for job in self.open if job.end is End.OPEN]
        return [{"job": job.job, "end": str(job.end), "cost": self._cost(job)} for job in ended]

    def _cost(self, job: Outcome) -> float:
        weights = self.weights.get(job.job)
        if weights is None:  # it was never planned
            demand = next(each for each, _ in self.setup.demands if each.name == job.demand)
            weights = weights_of(demand.objective, NodeEstimate(()))
        lost = job.end in (End.FAILED, End.LATE)
        return weights.of(job.latency_s, job.energy_j, job.money) + self.penalty * lost


class _Agent:
    """The policy of one job, which asks."""

    name = "agent"

    def __init__(self, job: int, ask: _Ask, account: _Account) -> None:
        self._job, self._ask, self._account = job, ask, account

    def plan(self, view: PlanView) -> Plan:
        if view.estimates is None:
            return unmeasured_plan(view)
        device = view.estimates.nodes[view.topology.device.id]
        self._account.weights.setdefault(self._job, weights_of(view.objective, device))
        choices = StageChoices(view)
        while (choice := choices.next()) is not None:
            choices.take(*self._ask(_Asked(self._job, choice)))
        return choices.plan()


class PlacementEnv(gymnasium.Env[Observation, Action]):
    """One episode is one run of a scenario; one step places one stage of one job, if more than one node may take it.

    Observations are the tables of `eapg_split.planner.stage_choices`, between 0 and 1. An action is a row of the nodes
    and one of the codecs; `info["action_mask"]` says which are legal, as `action_space.sample` takes it. An illegal
    node is replaced by who has the state, else by the first legal one, and `info["mended"]` says so.

    The reward is minus what the jobs cost that ended meanwhile, by the goal of each (seconds, joules of the device and
    money, as `eapg_split.planner.weights` weighs them) and `penalty` for one that failed or came too late; at the end
    of the run jobs that still run cost what they took. `info["ended"]` lists them.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (declared so by the class above)

    def __init__(
        self,
        scenario: str = "home-wifi",
        *,
        settings: Sequence[str] = (),
        jobs: int | None = None,
        until_s: float | None = None,
        penalty: float = PENALTY,
    ) -> None:
        """`settings` are PATH=VALUE, as in `eapg-split sweep`. Raises InvalidRequest for a scenario that is none."""
        parameters = [read_parameter(text) for text in settings]
        if any(len(each.values) != 1 for each in parameters):
            raise InvalidRequest(
                "An environment has one value for each setting: write it like links.rate_mbps=10."
            )
        self._scenario = read_scenario(scenario).having([next(each.settings()) for each in parameters])
        self._jobs, self._until_s = jobs, until_s or self._scenario.until_s
        self._penalty = penalty
        self.observation_space: spaces.Space[Any] = spaces.Dict(
            {
                "codecs": spaces.Box(0.0, 1.0, (len(CODECS), len(CODEC_FEATURES))),
                "job": spaces.Box(0.0, 1.0, (len(JOB_FEATURES),)),
                "nodes": spaces.Box(0.0, 1.0, (MAX_NODES, len(NODE_FEATURES))),
            }
        )
        self.action_space = spaces.MultiDiscrete([MAX_NODES, len(CODECS)])
        self._dialogue: Dialogue[_Asked, tuple[int, int]] | None = None
        self._account: _Account | None = None
        self._asked: _Asked | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new run; a `seed` gives that of `eapg-split simulate` with it, and without one it is drawn."""
        super().reset(seed=seed)
        del options
        self.close()
        drawn = int(self.np_random.integers(_SEEDS)) if seed is None else seed
        account = self._account = _Account(build(self._scenario, drawn), self._penalty)
        dialogue = self._dialogue = _dialogue(account, drawn, self._until_s, self._jobs)
        weakref.finalize(self, dialogue.close)
        self._asked = dialogue.start()
        if self._asked is None:
            raise InvalidRequest(
                f"{self._scenario.name} leaves nothing to choose: no job has a stage that two nodes may take."
            )
        return self._observation(), self._info([], mended=False)

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Places a stage, and runs until the next one is to be placed."""
        if self._dialogue is None or self._account is None or self._asked is None:
            raise ResetNeeded("The run is over: call reset().")
        node, codec = (int(each) for each in action)
        mended = not self._asked.choice.node_mask[node]
        self._asked = self._dialogue.answer((node, codec))
        over = self._asked is None
        cut_off = over and any(job.end is End.OPEN for job in self._account.open)
        ended = self._account.settled(over=over)
        reward = -float(sum(job["cost"] for job in ended))
        return self._observation(), reward, over and not cut_off, cut_off, self._info(ended, mended=mended)

    def close(self) -> None:
        """Ends the run where it stands."""
        if self._dialogue is not None:
            self._dialogue.close()
        self._dialogue = self._asked = None

    def _observation(self) -> Observation:
        if self._asked is None:
            return {
                "codecs": np.zeros((len(CODECS), len(CODEC_FEATURES)), np.float32),
                "job": np.zeros(len(JOB_FEATURES), np.float32),
                "nodes": np.zeros((MAX_NODES, len(NODE_FEATURES)), np.float32),
            }
        choice = self._asked.choice
        return {"codecs": choice.codecs, "job": choice.job, "nodes": choice.nodes}

    def _info(self, ended: list[dict[str, Any]], *, mended: bool) -> dict[str, Any]:
        info: dict[str, Any] = {"ended": ended, "mended": mended}
        if self._asked is not None:
            choice = self._asked.choice
            info |= {"job": self._asked.job, "stage": choice.stage.name, "nodes": choice.names}
            info["action_mask"] = (choice.node_mask.astype(np.int8), choice.codec_mask.astype(np.int8))
        return info


def _dialogue(
    account: _Account, seed: int, until_s: float, jobs: int | None
) -> Dialogue[_Asked, tuple[int, int]]:
    """The run, which asks. It knows nothing of the environment, which so can be forgotten while it stands."""

    def body(ask: _Ask) -> None:
        made = 0

        def agent() -> _Agent:
            nonlocal made
            made += 1
            return _Agent(made - 1, ask, account)

        simulate(
            account.setup,
            ("agent", agent),
            seed=seed,
            until_s=until_s,
            jobs=jobs,
            arrived=account.arrived,
        )

    return Dialogue(body)


if ID not in gymnasium.registry:
    gymnasium.register(id=ID, entry_point=f"{__name__}:{PlacementEnv.__name__}")
