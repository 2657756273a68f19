"""The sampler against closed forms and against the textbook."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.eapg import sampler
from eapg_split.eapg.noise import latent_noise
from eapg_split.eapg.schedule import SIGMA, SIGNAL, time_grid

Matrix = NDArray[Any]  # float64: the sampler does not mind, and the closed forms need it

FRAMES = 13  # at the target rate: frames of stages 1..4 lie every 12th, 4th, 2nd and 1st of them
STRIDES = (12, 4, 2, 1)


def covariance() -> Matrix:
    index = np.arange(FRAMES)
    correlation: Matrix = 0.9 ** np.abs(index[:, None] - index)
    scale = 0.5 + index / FRAMES
    return correlation * scale[:, None] * scale


def mean() -> Matrix:
    values: Matrix = np.sin(np.arange(FRAMES) / 3.0) + 0.5
    return values


def interpolation(count: int, factor: int) -> Matrix:
    """Linear interpolation in time of `count` frames, to (count - 1) * factor + 1."""
    times = np.arange((count - 1) * factor + 1) / factor
    return np.stack([np.interp(times, np.arange(count), row) for row in np.eye(count)], axis=1)


class Posterior:
    """E[x_k | x_t, x_{k-1}] for Gaussian clips: the best prediction there is, in closed form."""

    def __init__(self, stage: int) -> None:
        here = np.arange(0, FRAMES, STRIDES[stage])
        joint, average = covariance(), mean()
        self.mean, self.own = average[here], joint[np.ix_(here, here)]
        self.gain = np.zeros((len(here), 0))
        self.before_mean = np.zeros(0)
        if stage > 0:
            before = np.arange(0, FRAMES, STRIDES[stage - 1])
            self.before_mean = average[before]
            self.gain = np.linalg.solve(joint[np.ix_(before, before)], joint[np.ix_(before, here)]).T
            self.own = self.own - self.gain @ joint[np.ix_(before, here)]
        self.sigma = SIGMA[stage]

    def __call__(self, x_t: Matrix, t: float, mu: Matrix, source: Matrix) -> Matrix:
        expected = self.mean[:, None] + self.gain @ (source - self.before_mean[:, None])
        spread = t * t * self.own + ((1 - t) * self.sigma) ** 2 * np.eye(len(self.own))
        surprise = x_t - (1 - t) * mu - t * expected
        result: Matrix = expected + t * self.own @ np.linalg.solve(spread, surprise)
        return result


def sample(noises: list[Matrix], steps: int) -> Matrix:
    """The last stage's clips, one a column, through all four stages with clean hand-offs."""
    source = np.zeros((0, noises[0].shape[1]))
    for stage, noise in enumerate(noises):
        mu = np.zeros_like(noise)
        if stage > 0:
            factor = STRIDES[stage - 1] // STRIDES[stage]
            mu = SIGNAL[stage] * interpolation(len(source), factor) @ source
        predict, grid, xbar = Posterior(stage), time_grid(steps, 1.0), None
        for t, t_next in itertools.pairwise(grid):
            x_t = sampler.noisy(mu, noise, xbar, sigma=SIGMA[stage], t=t)
            xbar = sampler.step(xbar, predict(x_t, t, mu, source), t=t, t_next=t_next)
        assert xbar is not None
        source = np.asarray(xbar)
    return source


def affine_moments(steps: int) -> tuple[Matrix, Matrix]:
    """Exact mean and covariance of what the sampler draws: it is affine in its noise, so unit vectors tell all."""
    sizes = [len(range(0, FRAMES, stride)) for stride in STRIDES]
    total = sum(sizes)
    units = np.concatenate([np.zeros((total, 1)), np.eye(total)], axis=1)
    drawn = sample(np.split(units, np.cumsum(sizes)[:-1]), steps)
    jacobian = drawn[:, 1:] - drawn[:, :1]
    return drawn[:, 0], jacobian @ jacobian.T


def error(drawn: Matrix) -> float:
    return float(np.linalg.norm(drawn - covariance()) / np.linalg.norm(covariance()))


def test_pyramid_is_exact_on_gaussian_clips() -> None:
    """The mean is exact at any number of steps, the covariance in the limit of many.

    The error falls at first order, as Euler's must, and extrapolating twice to endless steps leaves none: there
    is no bias from the hand-offs.
    """
    moments = [affine_moments(steps) for steps in (64, 128, 256)]
    for drawn_mean, _ in moments:
        np.testing.assert_allclose(drawn_mean, mean(), atol=5e-6)
    coarse, middle, fine = (drawn for _, drawn in moments)
    assert 0.48 < error(middle) / error(coarse) < 0.52
    assert error(fine) < 0.011
    once = 2 * middle - coarse, 2 * fine - middle
    assert error((4 * once[1] - once[0]) / 3) < 1e-5


def test_noise_of_the_product_draws_that_distribution() -> None:
    """The same pyramid fed with the counter-based noise: sample moments within sampling error."""
    clips = 20000
    noises = [
        latent_noise(3, stage + 1, shape=(4, 1, len(range(0, FRAMES, stride)), clips // 4)).astype(np.float64)
        for stage, stride in enumerate(STRIDES)
    ]
    drawn = sample([n.transpose(2, 0, 1, 3).reshape(n.shape[2], clips) for n in noises], 32)
    expected_mean, expected = affine_moments(32)
    deviation = np.sqrt(np.diag(expected))
    assert np.abs((drawn.mean(axis=1) - expected_mean) / deviation).max() < 4.5 / clips**0.5
    relative = (np.cov(drawn) - expected) / np.outer(deviation, deviation)
    assert np.abs(relative).max() < 4.5 * (2 / clips) ** 0.5


def random_network(seed: int, size: int) -> Callable[[sampler.Floats, float], sampler.Floats]:
    rng = np.random.default_rng(seed)
    first, second = (rng.standard_normal((size, size)).astype(np.float32) / size**0.5 for _ in range(2))

    def predict(x: sampler.Floats, t: float) -> sampler.Floats:
        result: sampler.Floats = second @ np.tanh(first @ x + np.float32(t))
        return result

    return predict


@pytest.mark.parametrize("steps", [1, 2, 4, 16, 64])
@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("sigma", [1.0, 0.5])
def test_noise_free_state_is_the_textbook_sampler(steps: int, shift: float, sigma: float) -> None:
    """The usual Euler sampler carries x_t; ours carries xbar, and gives the same x_t at every step."""
    rng = np.random.default_rng(steps)
    noise, mu = (rng.standard_normal(96).astype(np.float32) for _ in range(2))
    predict = random_network(steps, 96)
    x = mu + np.float32(sigma) * noise
    xbar = None
    grid = time_grid(steps, shift)
    for t, t_next in itertools.pairwise(grid):
        np.testing.assert_allclose(sampler.noisy(mu, noise, xbar, sigma=sigma, t=t), x, atol=3e-5)
        xbar = sampler.step(
            xbar, predict(sampler.noisy(mu, noise, xbar, sigma=sigma, t=t), t), t=t, t_next=t_next
        )
        x = predict(x, t) if t_next == 1 else x + np.float32((t_next - t) / (1 - t)) * (predict(x, t) - x)
    assert xbar is not None
    np.testing.assert_allclose(xbar, x, atol=3e-5)


@pytest.mark.parametrize("steps", [1, 3, 16])
def test_state_is_a_mean_of_predictions(steps: int) -> None:
    grid = time_grid(steps, 1.5)
    for t, t_next in itertools.pairwise(grid):
        assert 0 < sampler.mean_weight(t, t_next) <= 1
    assert sampler.mean_weight(grid[0], grid[1]) == 1
    assert sampler.mean_weight(grid[-2], grid[-1]) == 1


def test_guidance_of_one_is_the_conditioned_prediction() -> None:
    conditioned, unconditioned = np.array([1, 2], np.float32), np.array([3, -1], np.float32)
    np.testing.assert_array_equal(sampler.guided(conditioned, unconditioned, 1.0), conditioned)
    np.testing.assert_array_equal(sampler.guided(conditioned, unconditioned, 0.0), unconditioned)
    np.testing.assert_array_equal(sampler.guided(conditioned, unconditioned, 2.0), [-1, 5])
