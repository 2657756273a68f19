"""Trains a small network to place jobs, by the cross-entropy method in numpy. It needs the extra "gym".

    python examples/learning/train_placement.py mmwave-street -o placement.npz
    eapg-split simulate mmwave-street --policy ./placement.npz,dp-adaptive,dp-static,random-valid --seeds 20

It draws networks around a mean, lets each place the jobs of the same few runs, and moves the mean to the best of them.
"""

import argparse
import time
from pathlib import Path

import gymnasium
import numpy as np
from numpy.typing import NDArray

from eapg_split.planner.policy_models import ROW_INPUTS, write_row_model
from simulations.environment import ID, Observation

HIDDEN, POPULATION, ELITE = 6, 24, 5
SHAPES = ((ROW_INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,))
ENDS = np.cumsum([int(np.prod(shape)) for shape in SHAPES])
FIRST_SEED = 1000  # the runs that a policy is judged by have smaller ones

Rows = NDArray[np.float32]
Environment = gymnasium.Env[Observation, NDArray[np.int64]]


def layers_of(flat: NDArray[np.float64]) -> list[tuple[Rows, Rows]]:
    """Weights and biases of both layers."""
    parts = np.split(flat.astype(np.float32), ENDS[:-1])
    w0, b0, w1, b1 = (part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True))
    return [(w0, b0), (w1, b1)]


def reward(env: Environment, layers: list[tuple[Rows, Rows]], seed: int) -> float:
    """What one network gets in one run."""
    (w0, b0), (w1, b1) = layers
    seen, info = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        nodes, codecs = info["action_mask"]
        rows = np.hstack([seen["nodes"], np.tile(seen["job"], (len(nodes), 1))])
        liked = (np.tanh(rows @ w0 + b0) @ w1 + b1)[:, 0]
        action = np.array([np.where(nodes, liked, -np.inf).argmax(), codecs.argmax()])
        seen, got, ended, cut_off, info = env.step(action)
        total, over = total + float(got), ended or cut_off
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a network to place the jobs of a scenario.")
    parser.add_argument("scenario", nargs="?", default="mmwave-street")
    parser.add_argument("-o", "--output", type=Path, default=Path("placement.npz"))
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--runs", type=int, default=2, help="of each network in a round")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    draws = np.random.default_rng(wanted.seed)
    env: Environment = gymnasium.make(ID, scenario=wanted.scenario)
    mean, spread = np.zeros(ENDS[-1]), np.ones(ENDS[-1])
    began = time.process_time()
    for number in range(wanted.rounds):
        drawn = mean + spread * draws.standard_normal((POPULATION, len(mean)))
        seeds = range(FIRST_SEED + number * wanted.runs, FIRST_SEED + (number + 1) * wanted.runs)
        found = np.array([sum(reward(env, layers_of(each), seed) for seed in seeds) for each in drawn])
        best = drawn[np.argsort(found)[-ELITE:]]
        mean, spread = best.mean(axis=0), best.std(axis=0) + 0.3 / (number + 1)
        print(
            f"round {number + 1}: {np.median(found):.0f} (best {found.max():.0f}), {time.process_time() - began:.0f} s"
        )
    env.close()
    write_row_model(wanted.output, layers_of(mean))
    print(wanted.output)


if __name__ == "__main__":
    main()
