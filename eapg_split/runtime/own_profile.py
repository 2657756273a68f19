"""This node's profile while it serves: read or guessed at the first question, corrected by every step that it runs."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import InvalidRequest, OutputFailure
from eapg_split.runtime import profile_store
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.profile_store import Machine, StoredProfile
from eapg_split.runtime.profiling import SMALL

_GAIN: Final = 0.1  # of one step against what was measured before
_MOST_OFF: Final = 4.0  # what is further off than that was disturbed
_MATRIX: Final = 64  # so small that the linear algebra keeps to one thread, which others disturb less
_STACK: Final = 64
_TRIALS: Final = 16
_PAUSE_S: Final = 0.008  # between two trials: whoever else starts up now has its turn, and one trial has ours
_EFFICIENCY: Final = (
    0.4  # of convolutions, beside a product of matrices: about what the shipped networks reach
)
_GUESSED_OVERHEAD_S: Final = 0.002
_GUESSED_LOAD_S: Final = 0.3
_ENTRY_GAIN: Final = 0.3  # one in each segment
_FRESH_S: Final = 5.0
_SAVE_EVERY_S: Final = 120.0
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProfileHome:
    """Where a daemon keeps its profile: the file that it was told, or None for its own in the default place."""

    file: Path | None = None
    threads: int = 0  # of the engine; 0 is one per core


class OwnProfile:
    """One per worker. `open` and `timed` are for the engine's thread. Without a home nothing is kept on disk."""

    def __init__(
        self, node: NodeId, home: ProfileHome | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._node = node
        self._home = home
        self._clock = clock
        self._machine = Machine("", 0, 0)
        self._profile: Profile | None = None
        self._clock_ratio, self._seen_s = 1.0, -math.inf
        self._changed_s: float | None = None  # when the first correction came that is not on disk yet

    @property
    def current(self) -> Profile | None:
        """The costs as they are known now; None before `open`."""
        return self._profile

    def open(self, engine: Engine) -> Profile:
        """Reads the stored profile, or guesses one from how fast matrices are multiplied here, which takes 0.15 s."""
        if self._profile is None:
            self._machine = Machine.here(self._home.threads if self._home else 0)
            found = self._stored(engine) if self._home else None
            self._profile = found or guessed(self._node, engine, self._machine)
        return self._profile

    def saw_clock(self, ratio: float) -> None:
        """How fast the processor is just now, of its full clock: costs are kept as they are at full clock."""
        self._clock_ratio, self._seen_s = ratio, self._clock()

    def timed(self, workload: Workload, step: int, call: Callable[[], T], *, first: bool) -> tuple[T, float]:
        """What `call`, which is that step in the engine's thread, gives, and its seconds, which correct the profile."""
        began = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - began
        self.observe(workload, step, seconds, first=first)
        if self._changed_s is not None and self._clock() - self._changed_s >= _SAVE_EVERY_S:
            self.save()
        return result, seconds

    def decoded(self, workload: Workload, frames: Iterator[T]) -> Iterator[T]:
        """The same frames; what computing all of them took corrects the profile, without what their reader took."""
        seconds = 0.0
        while True:
            began = time.perf_counter()
            frame = next(frames, None)
            seconds += time.perf_counter() - began
            if frame is None:
                break
            yield frame
        self.observe(workload, workload.steps - 1, seconds, first=True)

    def observe(self, workload: Workload, step: int, seconds: float, *, first: bool) -> None:
        """Takes what a step took here; `first` says that it was the first of a segment, after loading or a hand-off.

        The first step of a stage tells what entering it costs. That of a segment tells nothing else: it also warms up
        what was loaded, and whether the stage had to be entered anew nobody can say.
        """
        if self._profile is None or not 0 < seconds < math.inf:
            return
        stage = workload.stage_of(step)
        cost = self._profile.stages.get(stage.name)
        if cost is None:
            return
        if self._clock() - self._seen_s < _FRESH_S:
            seconds *= self._clock_ratio
        if stage.entry_flops > 0 and step == stage.start_step:
            corrected = _with_entry(cost, stage.entry_flops, seconds - cost.seconds(stage.flops_per_step))
        elif first and stage.stop_step - stage.start_step > 1:
            return
        else:
            corrected = _with_step(cost, seconds / cost.seconds(stage.flops_per_step))
        stages = MappingProxyType({**self._profile.stages, stage.name: corrected})
        self._profile = replace(self._profile, stages=stages)
        if self._changed_s is None:
            self._changed_s = self._clock()

    def save(self) -> None:
        """Writes what was measured and corrected, but no guesses. A disk that refuses costs a line in the log."""
        profile, home = self._profile, self._home
        if profile is None or home is None or self._changed_s is None:
            return
        self._changed_s = None
        known = {name: cost for name, cost in profile.stages.items() if not cost.uncertain}
        if not known:
            return
        path = home.file or profile_store.default_path(self._node, profile.engine, profile.fingerprint)
        kept = replace(profile, stages=MappingProxyType(known))
        try:
            profile_store.save(StoredProfile(kept, self._machine), path)
        except OutputFailure as error:
            _log.warning("%s", error)

    def _stored(self, engine: Engine) -> Profile | None:
        assert self._home is not None
        if self._home.file is None:
            found = profile_store.find(self._node, engine.kind, engine.fingerprint, self._machine)
        else:
            found = self._told(self._home.file, engine)
        if found is None:
            return None
        missing = guessed(self._node, engine, self._machine).stages
        return replace(found, stages=MappingProxyType({**missing, **found.stages}))

    def _told(self, path: Path, engine: Engine) -> Profile | None:
        try:
            stored = profile_store.read(path)
            profile_store.check_identity(
                stored, path, engine=engine.kind, fingerprint=engine.fingerprint, machine=self._machine
            )
        except InvalidRequest as error:
            _log.warning("%s", error)
            return None
        return replace(stored.profile, node=self._node)


def guessed(node: NodeId, engine: Engine, machine: Machine) -> Profile:
    """A profile before anything ran: every stage as fast as this processor multiplies matrices, and uncertain.

    It knows nothing of accelerators; the first steps put that right.
    """
    rate = max(1e6, _EFFICIENCY * _matrix_flops_per_s() * max(1, min(machine.threads, machine.cores)))
    cost = StageCost(
        _GUESSED_OVERHEAD_S, rate, load_s=_GUESSED_LOAD_S, uncertain=True, entry_flops_per_s=rate
    )
    stages = {stage.name: cost for stage in engine.unroll(SMALL).stages}
    return Profile(node, engine.kind, engine.fingerprint, MappingProxyType(stages))


def _matrix_flops_per_s() -> float:
    """Of one core, undisturbed: the best of several trials."""
    matrices = np.full((_STACK, _MATRIX, _MATRIX), 0.5, np.float32)
    product = np.empty_like(matrices)
    seconds = []
    for _ in range(_TRIALS):
        began = time.perf_counter()
        np.matmul(matrices, matrices, out=product)
        seconds.append(time.perf_counter() - began)
        time.sleep(_PAUSE_S)
    return 2.0 * _STACK * _MATRIX**3 / max(min(seconds), 1e-9)


def _with_step(cost: StageCost, ratio: float) -> StageCost:
    """A guess is replaced by what the first step took; what was measured moves towards it a little."""
    gain = 1.0 if cost.uncertain else _GAIN
    if not cost.uncertain:
        ratio = min(_MOST_OFF, max(1 / _MOST_OFF, ratio))
    factor = ratio**gain
    entry = cost.entry_flops_per_s / factor if cost.uncertain else cost.entry_flops_per_s
    return replace(
        cost,
        overhead_s=cost.overhead_s * factor,
        flops_per_s=cost.flops_per_s / factor,
        entry_flops_per_s=entry,
        uncertain=False,
    )


def _with_entry(cost: StageCost, entry_flops: float, entry_s: float) -> StageCost:
    """Says nothing where the step itself is a guess, or the whole was shorter than a step."""
    if cost.uncertain or entry_s <= 0:
        return cost
    measured = entry_flops / entry_s
    if math.isinf(cost.entry_flops_per_s):
        return replace(cost, entry_flops_per_s=measured)
    ratio = min(_MOST_OFF, max(1 / _MOST_OFF, measured / cost.entry_flops_per_s))
    return replace(cost, entry_flops_per_s=cost.entry_flops_per_s * ratio**_ENTRY_GAIN)
