"""The pyramid: which frame rate and size each denoising stage has, and how its time runs.

Early stages carry much uncertainty and little detail, so they need few pixels whatever size is asked for; only
the last stage has the full frame rate and resolution.
"""

import math
from dataclasses import dataclass
from typing import Final, TypedDict

from eapg_split.errors import InvalidRequest

STAGES: Final = 4
SIGNAL: Final = (0.0, 0.5, 0.5, 0.6)  # weight of the upsampled clip at the start of each stage
SIGMA: Final = tuple(1.0 - signal for signal in SIGNAL)  # weight of the noise there
BASE_FPS: Final = 1
FINEST_PIXELS: Final = 256 * 144  # a canvas has at least as many
FIRST_PIXELS: Final = 64 * 36  # stage 1 has about as many
CANVAS_MULTIPLE: Final = 32
LIGHT_MULTIPLE: Final = 4
LEAST_SIDE: Final = 8

Quadruple = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is drawn for an output size: `ratio` canvas pixels a side for one output pixel, then padding."""

    width: int
    height: int
    ratio: int


class StageConfig(TypedDict):
    """The seed's answer: frames per second, and the side length relative to the last stage."""

    fps: int
    resolution_scale: float


def frame_rates(base: float, target: float) -> Quadruple:
    """Frames per second of the four stages: never falling, at least base where target allows, at last target.

    Raises InvalidRequest unless both are positive.
    """
    if not (math.isfinite(base) and math.isfinite(target) and base > 0 and target > 0):
        raise InvalidRequest(f"Frame rates must be positive, not {base} and {target}.")
    low, quarter, half = (min(target, max(base, rate)) for rate in (base, target / 4, target / 2))
    return low, quarter, half, target


def frame_count(seconds: float, rate: float) -> int:
    """Frames of a stage: frame i lies at i / rate seconds, and the last one not before the end."""
    return math.ceil(seconds * rate - 1e-9) + 1


def canvas_of(width: int, height: int) -> Canvas:
    """The canvas for an output of that many pixels."""
    ratio = next((r for r in (1, 2, 4) if width * height * r * r >= FINEST_PIXELS), 8)
    return Canvas(_round_up(width * ratio), _round_up(height * ratio), ratio)


def stage_sizes(canvas: Canvas) -> tuple[tuple[int, int], ...]:
    """(width, height) in pixels of the four stages."""
    scale = math.sqrt(FIRST_PIXELS / (canvas.width * canvas.height))
    width, height = _light_side(canvas.width * scale), _light_side(canvas.height * scale)
    half = (canvas.width // 2, canvas.height // 2)
    return (width, height), (2 * width, 2 * height), half, (canvas.width, canvas.height)


def time_grid(steps: int, shift: float) -> tuple[float, ...]:
    """The moments 0 = t_0 < ... < t_steps = 1 of one stage; a shift above 1 dwells on the early ones."""
    return tuple(i / (i + shift * (steps - i)) for i in range(steps + 1))


class EntropyScheduler:
    """The pyramid as a function of progress: `get_stage_config(timestep, total_steps)`.

    Equal shares of the steps go to the four stages. Raises InvalidRequest for rates that are not positive.
    """

    def __init__(self, base_fps: int = BASE_FPS, target_fps: int = 24) -> None:
        rates = frame_rates(base_fps, target_fps)
        self.stages = tuple(math.floor(rate + 0.5) or 1 for rate in rates)

    def get_stage_config(self, timestep: int, total_steps: int) -> StageConfig:
        """The stage at a timestep of total_steps; at and beyond the end it is the last stage."""
        if total_steps < 1 or timestep < 0:
            raise InvalidRequest("total_steps must be positive and timestep must not be negative.")
        index = min(timestep * STAGES // total_steps, STAGES - 1)
        return {"fps": self.stages[index], "resolution_scale": 0.5 ** (STAGES - 1 - index)}


def _round_up(side: int) -> int:
    return -(-side // CANVAS_MULTIPLE) * CANVAS_MULTIPLE


def _light_side(side: float) -> int:
    return max(LEAST_SIDE, LIGHT_MULTIPLE * math.floor(side / LIGHT_MULTIPLE + 0.5))
