"""One request unrolled: what must be computed, in order, and what the state looks like after every step."""

from dataclasses import dataclass
from enum import StrEnum

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.request import Request
from eapg_split.errors import InvalidRequest


class StageKind(StrEnum):
    """What the steps of a stage do."""

    TEXT = "text"
    DENOISE = "denoise"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class Geometry:
    """The clip as one stage sees it: frames per second, pixels, number of frames."""

    fps: float
    width: int
    height: int
    frames: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps `start_step` to `stop_step` (half-open) at one geometry.

    `parts` are the weights that a node must load for it; `flops_per_step` and `memory_bytes` are estimates.
    `entry_flops` is what the first step of the stage on any node takes besides: what its steps share, computed there.
    """

    name: str
    kind: StageKind
    start_step: int
    stop_step: int
    sees_text: bool
    geometry: Geometry
    flops_per_step: float
    memory_bytes: int
    parts: tuple[str, ...]
    entry_flops: float = 0.0


@dataclass(frozen=True, slots=True)
class Workload:
    """Stages in order, covering the steps 0 to `steps`, and the spec of the state after each step."""

    request: Request
    stages: tuple[Stage, ...]
    specs: tuple[LatentSpec, ...]

    def __post_init__(self) -> None:
        position = 0
        for stage in self.stages:
            if stage.start_step != position or stage.stop_step <= position:
                raise InvalidRequest(f"Stage {stage.name} must start at step {position} and have steps.")
            position = stage.stop_step
        if position == 0 or len(self.specs) != position:
            raise InvalidRequest("A workload needs stages, and one latent spec for every step.")

    @property
    def steps(self) -> int:
        """Number of steps; they are numbered 0 to steps - 1."""
        return len(self.specs)

    def stage_of(self, step: int) -> Stage:
        """The stage that holds a step. Raises InvalidRequest when there is no such step."""
        for stage in self.stages:
            if stage.start_step <= step < stage.stop_step:
                return stage
        raise InvalidRequest(f"There is no step {step}: this workload has steps 0 to {self.steps - 1}.")

    def stage(self, name: str) -> Stage:
        """The stage of that name. Raises InvalidRequest when there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise InvalidRequest(f"There is no stage {name!r} in this workload.")

    def spec_after(self, step: int) -> LatentSpec:
        """The state after a step; -1 gives the empty state in which a job starts."""
        if step == -1:
            return LatentSpec()
        self.stage_of(step)
        return self.specs[step]

    def parts(self, start_step: int, stop_step: int) -> tuple[str, ...]:
        """The weights that the steps from start_step to stop_step (half-open) need, without repeats."""
        stages = (s for s in self.stages if s.start_step < stop_step and start_step < s.stop_step)
        return tuple(dict.fromkeys(part for stage in stages for part in stage.parts))
