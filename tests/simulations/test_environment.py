import gc
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from eapg_split.errors import InvalidRequest
from eapg_split.planner import resolve
from eapg_split.planner.stage_choices import INPUTS, NODE_FEATURES, OUTPUTS
from simulations.building import build
from simulations.dialogue import Dialogue
from simulations.environment import ID, PlacementEnv
from simulations.scenario import parse_scenario
from simulations.simulation import simulate
from tests.planner.test_learned import COST, row_model

THREE = """
title = "Three"
until_s = 400

[workloads.clip]
every_s = 60
seconds = 1
steps = [2, 1, 1, 1]
goal = "latency"

[nodes.phone]
like = "phone"
count = 2

[nodes.box]
like = "edge-box"

[nodes.cloud]
like = "cloud-server"

[[links]]
from = "phone"
to = "box"
rate_mbps = 20

[[links]]
from = "phone"
to = "cloud"
rate_mbps = 5
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "three.toml"
    path.write_text(THREE)
    return str(path)


def least_cost(seen: dict[str, np.ndarray], info: dict) -> np.ndarray:
    nodes, codecs = info["action_mask"]
    cost = np.where(nodes, -seen["nodes"][:, NODE_FEATURES.index("cost of the stage")], -np.inf)
    return np.array([cost.argmax(), codecs.argmax()])


def test_gymnasium_finds_nothing_wrong_with_it(file: str) -> None:
    env = gymnasium.make(ID, scenario=file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_the_sum_of_the_rewards_is_what_the_jobs_of_that_seed_cost(file: str, tmp_path: Path) -> None:
    """An agent does in the environment what the same model does as a policy in a simulation."""
    env = PlacementEnv(file)
    seen, info = env.reset(seed=3)
    total, jobs, over = 0.0, [], False
    while not over:
        assert env.observation_space.contains(seen)
        seen, reward, ended, cut_off, info = env.step(least_cost(seen, info))
        total, over = total + reward, ended or cut_off
        jobs += info["ended"]
    model = str(row_model(tmp_path / "least.npz", COST))
    scenario = parse_scenario(Path(file), THREE)
    run = simulate(build(scenario, 3), ("", lambda: resolve(model)), seed=3, until_s=400)
    assert len(jobs) == len(run.outcomes) >= 4
    assert total == pytest.approx(-sum(job["cost"] for job in jobs))
    costs = {job["job"]: job["cost"] for job in jobs}
    for outcome in run.outcomes:
        assert costs[outcome.job] == pytest.approx(outcome.latency_s, abs=1e-2)
    with pytest.raises(ResetNeeded):
        env.step(np.array([0, 0]))


def test_one_seed_gives_one_episode_and_none_gives_another_each_time(file: str) -> None:
    env = PlacementEnv(file, jobs=4)

    def episode(seed: int | None) -> list[float]:
        seen, info = env.reset(seed=seed)
        rewards, over = list[float](), False
        while not over:
            seen, reward, ended, cut_off, info = env.step(least_cost(seen, info))
            rewards.append(reward)
            over = ended or cut_off
        return rewards

    assert episode(5) == episode(5)
    assert episode(None) != episode(None)


def test_an_illegal_action_is_mended_and_said(file: str) -> None:
    env = PlacementEnv(file, jobs=1)
    _, info = env.reset(seed=1)
    assert not info["action_mask"][0][15]
    _, _, ended, _, info = env.step(np.array([15, 0]))
    while not ended:
        assert info["mended"]
        _, _, ended, _, info = env.step(np.array([15, 0]))
    assert info["mended"]
    assert info["ended"][0]["end"] == "done"


def test_no_thread_stays_behind(file: str) -> None:
    before = set(threading.enumerate())  # some of which may end meanwhile: other tests left them

    def ours() -> set[threading.Thread]:
        return set(threading.enumerate()) - before

    env = PlacementEnv(file)
    for seed in (1, 2, 3):
        env.reset(seed=seed)
    assert len(ours()) == 1
    env.close()
    assert not ours()
    env.reset(seed=1)
    assert len(ours()) == 1
    del env
    gc.collect()
    assert not ours()


def test_what_the_run_raises_comes_out_where_it_is_waited_for() -> None:
    def body(ask: Callable[[str], int]) -> None:
        assert ask("first") == 1
        raise ValueError(ask("second"))

    dialogue = Dialogue[str, int](body)
    assert dialogue.start() == "first"
    assert dialogue.answer(1) == "second"
    with pytest.raises(ValueError, match="7"):
        dialogue.answer(7)


def test_a_scenario_that_leaves_no_choice_is_refused(file: str) -> None:
    Path(file).write_text(
        THREE.replace('like = "edge-box"', 'like = "edge-box"\nmemory_mb = 1').partition("[nodes.cloud]")[0]
    )
    with pytest.raises(InvalidRequest, match="nothing to choose"):
        PlacementEnv(file).reset(seed=1)
    with pytest.raises(InvalidRequest, match="one value for each"):
        PlacementEnv(file, settings=["until_s=1,2"])


def test_flattened_observations_are_what_an_onnx_model_takes(file: str) -> None:
    flat = gymnasium.wrappers.FlattenObservation(PlacementEnv(file))
    seen, _ = flat.reset(seed=1)
    assert seen.shape == (INPUTS,)
    env = flat.unwrapped
    assert isinstance(env, PlacementEnv)
    assert env._asked is not None
    assert np.array_equal(seen, env._asked.choice.flat())
    assert isinstance(env.action_space, gymnasium.spaces.MultiDiscrete)
    assert env.action_space.nvec.sum() == OUTPUTS
    flat.close()
