"""Measures the quality table: which quantiser steps leave the final video at the wanted PSNR, size by size.

At each place the state is coded by `clean`, decoded, and the rest of the workload is run; the PSNR against the lossless
run tells which step reaches the reference. The table keeps the finest step that any of the scenes needs.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import EXACT_TENSORS, Fidelity, Payload, latent_of, payload_of
from eapg_split.codecs.clean import CleanCodec
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.quality import BITS_DB, REFERENCE_DB, Point, QualityTable, canvas_pixels, moment_of
from eapg_split.eapg.spaces import SPACES

Frames = list[NDArray[np.uint8]]

_SHARES: Final = (0.3, 0.5, 0.7, 1.0)  # moments of a stage that are measured
_FIRST_STEP: Final = 0.1
_CLEAR_DB: Final = 70.0  # beyond, rounding to bytes hides the error, and a coarser step is tried
_FAINT_DB: Final = 30.0
_PROBE: Final = 0.1  # size of the disturbance that measures a channel's weight
_NEAR_DB: Final = 1.0  # a first step that is no better than this is fine
_SURPLUS_DB: Final = 0.1  # so that the next try is enough
_MOST_TRIES: Final = 5
# In the midst of a stage what is drawn is not settled: a small error now and then tips it over, and the video is worse
# by more than in proportion, in too few clips to meet the worst of them here. In stage 1 it may be by 10 dB, so its
# states, which are tiny, are all coded as finely as the last of them. In the other stages so much is put in hand.
_NEVER_SETTLED: Final = "stage1"
_UNSETTLED_DB: Final = 1.5
_FIXED_WORK: Final = 4e5  # pixels that take as long as what every clip costs


@dataclass(frozen=True, slots=True)
class Reference:
    """A lossless run: every state, and the frames."""

    workload: Workload
    states: tuple[Latent, ...]
    frames: Frames


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor of the state after a step, and the PSNR that is wanted when it is coded."""

    key: str
    moment: float
    step: int
    name: str
    wanted_db: float

    @property
    def at(self) -> tuple[str, float]:
        """Where the table has it."""
        return self.key, self.moment


def psnr(frames: Sequence[NDArray[np.uint8]], reference: Sequence[NDArray[np.uint8]]) -> float:
    """Of the whole clip, in dB; infinite where nothing differs."""
    errors = [np.square(a.astype(np.float32) - b).mean() for a, b in zip(frames, reference, strict=True)]
    mean = float(np.mean(errors))
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


def run_reference(engine: EapgPipeline, request: Request) -> Reference:
    """The request computed without any loss."""
    workload = engine.unroll(request)
    states, state = [], Latent()
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
        states.append(state)
    return Reference(workload, tuple(states), list(engine.decode(workload, state)))


def finish(engine: EapgPipeline, workload: Workload, step: int, state: Latent) -> Frames:
    """The frames that come of the state after a step."""
    for following in range(step + 1, workload.steps - 1):
        state = engine.run_step(workload, following, state)
    return list(engine.decode(workload, state))


def channel_shares(engine: EapgPipeline, reference: Reference) -> tuple[float, ...]:
    """How coarse each channel of the autoencoder's latent may be against the others; their geometric mean is 1.

    It is one over the error in the video that a disturbance of the channel makes.
    """
    workload, state = reference.workload, reference.states[-1]
    rng = np.random.default_rng(0)
    gains = []
    for channel in range(state["xbar"].shape[1]):
        disturbed = np.array(state["xbar"])
        disturbed[0, channel] += _PROBE * rng.standard_normal(disturbed[0, channel].shape).astype(np.float32)
        frames = engine.decode(workload, Latent({"xbar": disturbed}))
        gains.append(10 ** (-psnr(list(frames), reference.frames) / 20))
    logs = -np.log(gains)
    return tuple(float(share) for share in np.exp(logs - logs.mean()))


def places_of(workload: Workload) -> Iterator[Place]:
    """Where to measure."""
    for stage in workload.stages:
        if stage.kind is not StageKind.DENOISE:
            continue
        count = stage.stop_step - stage.start_step
        shares = _SHARES[-1:] if stage.name == _NEVER_SETTLED else _SHARES
        for done in sorted({max(1, round(share * count)) for share in shares}):
            step = stage.start_step + done - 1
            names = [t.name for t in workload.spec_after(step).tensors if t.name not in EXACT_TENSORS]
            wanted_db = REFERENCE_DB + (_UNSETTLED_DB if done < count else 0)
            for name in names:
                yield Place(f"{stage.name}/{name}", moment_of(stage, step), step, name, wanted_db)


class Calibration:
    """Fills a table, clip by clip, from the smallest to the largest."""

    def __init__(self, engine: EapgPipeline) -> None:
        self._engine = engine
        self._codec = CleanCodec()
        self._shares: dict[int, tuple[float, ...]] = {}
        self._sizes: dict[int, dict[tuple[str, float], float]] = {}
        self._bits: dict[tuple[int, str, float], list[tuple[float, ...]]] = {}

    def find_steps(self, request: Request, say: Callable[[str, float], None]) -> None:
        """Makes the steps for the clip's size so fine that they are enough for this clip too."""
        reference = run_reference(self._engine, request)
        workload = reference.workload
        if not self._shares:
            self._shares[SPACES[-1].channels] = channel_shares(self._engine, reference)
        pixels = canvas_pixels(workload)
        if pixels not in self._sizes:  # no coarser than for a smaller video, of which more clips are measured
            self._sizes[pixels] = dict(self._sizes[max(self._sizes)]) if self._sizes else {}
        steps, places = self._sizes[pixels], list(places_of(workload))
        for _, same_state in groupby(places, key=lambda place: place.step):
            together = list(same_state)
            say(together[0].key, places.index(together[0]) / len(places))
            for place in together:
                self._refine(reference, [place], steps)
            if len(together) > 1:
                self._refine(reference, together, steps)

    def count_bits(self, request: Request) -> None:
        """What the steps that were found cost on this clip, which should be as long as clips usually are."""
        workload = self._engine.unroll(request)
        places, state = list(places_of(workload)), Latent()
        for step in range(workload.steps - 1):
            state = self._engine.run_step(workload, step, state)
            for place in (place for place in places if place.step == step):
                at = (canvas_pixels(workload), place.key, place.moment)
                sizes = (self._sizes[at[0]][place.at] * 10 ** ((REFERENCE_DB - db) / 20) for db in BITS_DB)
                payloads = [self._coded(state, place, size) for size in sizes]
                bits = tuple(8 * payload.body_bytes / state[place.name].size for payload in payloads)
                self._bits.setdefault(at, []).append(bits)

    def table(self) -> QualityTable:
        """The finest steps and the mean of the bits."""
        sizes: dict[int, dict[str, tuple[Point, ...]]] = {}
        for pixels, steps in self._sizes.items():
            stages: dict[str, tuple[Point, ...]] = {}
            for (key, moment), step in sorted(steps.items()):
                found = self._bits[pixels, key, moment]
                low, middle, high = (_short(float(np.mean(bits))) for bits in zip(*found, strict=True))
                stages[key] = (*stages.get(key, ()), Point(moment, _short(step), (low, middle, high)))
            sizes[pixels] = stages
        shares = {count: tuple(map(_short, shares)) for count, shares in self._shares.items()}
        return QualityTable(sizes, shares)

    def _refine(
        self, reference: Reference, places: Sequence[Place], steps: dict[tuple[str, float], float]
    ) -> None:
        """Makes the steps of tensors of one state so fine that all of them together leave this clip good enough.

        The error is about proportional to the step, so few tries are enough.
        """
        new = places[0].at not in steps
        for attempt in range(_MOST_TRIES):
            reached = self._reached(reference, places, [steps.get(place.at, _FIRST_STEP) for place in places])
            gained = min(max(reached, _FAINT_DB), _CLEAR_DB) - places[0].wanted_db
            if gained >= 0 and (not new or (attempt and gained < _NEAR_DB)):
                return
            for place in places:
                steps[place.at] = steps.get(place.at, _FIRST_STEP) * 10 ** ((gained - _SURPLUS_DB) / 20)

    def _reached(self, reference: Reference, places: Sequence[Place], steps: Sequence[float]) -> float:
        """PSNR of the video, where tensors share the permitted error by their sizes."""
        step = places[0].step
        state = reference.states[step]
        elements = sum(state[place.name].size for place in places)
        lossy: dict[str, NDArray[np.float32]] = {}
        for place, size in zip(places, steps, strict=True):
            share = math.sqrt(state[place.name].size / elements)
            lossy.update(latent_of(self._codec, self._coded(state, place, size * share)))
        frames = finish(self._engine, reference.workload, step, Latent({**state, **lossy}))
        return psnr(frames, reference.frames)

    def _coded(self, state: Latent, place: Place, step: float) -> Payload:
        tensor = state[place.name]
        shares = self._shares.get(tensor.shape[1])
        weights = {} if shares is None else {place.name: shares}
        return payload_of(self._codec, Latent({place.name: tensor}), Fidelity({place.name: step}, weights))


def calibrate(
    engine: EapgPipeline,
    requests: Sequence[Request],
    usual: Sequence[Request],
    say: Callable[[str, float], None],
) -> QualityTable:
    """The table for an engine's weights; `say` gets what is being measured and the share that is done.

    Steps are found on `requests`, which may be short; bits are counted on `usual`, which must have all their sizes.
    """
    found = Calibration(engine)
    works = [
        *(_work(engine, request) for request in requests),
        *(_work(engine, request) / 4 for request in usual),
    ]
    starts = [work / sum(works) for work in accumulate(works, initial=0.0)]
    for request, start, stop in zip(requests, starts, starts[1:], strict=False):
        title = f"{request.prompt}, {request.width}x{request.height}"
        say(f"{title}: lossless run", start)
        found.find_steps(request, _within(say, title, start, stop))
    for request, start in zip(usual, starts[len(requests) :], strict=False):
        say(f"{request.prompt}, {request.width}x{request.height}: bits", start)
        found.count_bits(request)
    return found.table()


def _within(
    say: Callable[[str, float], None], title: str, start: float, stop: float
) -> Callable[[str, float], None]:
    return lambda text, share: say(f"{title}: {text}", start + (stop - start) * share)


def _work(engine: EapgPipeline, request: Request) -> float:
    """About how long one place of a clip takes, in any unit: the last stage's frames, and what does not grow."""
    workload = engine.unroll(request)
    return canvas_pixels(workload) * workload.stages[-1].geometry.frames + _FIXED_WORK


def _short(number: float) -> float:
    return float(f"{number:.4g}")
