"""The flow-matching step with noise-free state.

With S = mu + sigma * n and x_t = (1 - t) * S + t * xbar, the Euler step of the flow towards a prediction xhat
of the clean clip is exactly xbar' = (1 - w) * xbar + w * xhat. So what is carried from step to step is xbar, a
convex mean of clean predictions: it is smooth, it compresses, and S is made again from the seed wherever the
next step runs.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def mean_weight(t: float, t_next: float) -> float:
    """The weight w of the newest prediction; exactly 1 for the first and for the last step of a stage."""
    if t == 0.0 or t_next == 1.0:
        return 1.0
    return (t_next - t) / (t_next * (1.0 - t))


def noisy(mu: Floats, noise: Floats, xbar: Floats | None, *, sigma: float, t: float) -> Floats:
    """x_t at the time t. `xbar` is None at the start of a stage, where t is 0 and nothing is predicted yet."""
    start = mu + np.float32(sigma) * noise
    if xbar is None:
        return start
    return np.float32(1.0 - t) * start + np.float32(t) * xbar


def guided(conditioned: Floats, unconditioned: Floats, guidance: float) -> Floats:
    """Classifier-free guidance on clean predictions; 1 gives the conditioned one."""
    return unconditioned + np.float32(guidance) * (conditioned - unconditioned)


def step(xbar: Floats | None, xhat: Floats, *, t: float, t_next: float) -> Floats:
    """The state after the step from t to t_next with the prediction xhat."""
    weight = mean_weight(t, t_next)
    if xbar is None or weight == 1.0:
        return xhat
    return np.float32(1.0 - weight) * xbar + np.float32(weight) * xhat
