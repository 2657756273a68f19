"""Measures the quality table: which quantiser steps leave the final video at the wanted PSNR, scene by scene.

At each point the state is coded by `clean`, decoded, and the rest of the workload is run; the PSNR against the lossless
run tells which step reaches the reference. The table keeps the finest step that any of the scenes needs.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import Fidelity, latent_of, payload_of
from eapg_split.codecs.clean import CleanCodec
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Stage, StageKind, Workload
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.quality import BITS_DB, REFERENCE_DB, Point, QualityTable
from eapg_split.eapg.spaces import SPACES

Frames = list[NDArray[np.uint8]]

_SHARES: Final = (0.3, 0.7, 1.0)  # moments of a stage that are measured
_FIRST_STEP: Final = 0.1
_CLEAR_DB: Final = 70.0  # beyond, rounding to bytes hides the error, and a coarser step is tried
_FAINT_DB: Final = 30.0
_PROBE: Final = 0.1  # size of the disturbance that measures a channel's weight
_MOST_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """A lossless run: every state, and the frames."""

    workload: Workload
    states: tuple[Latent, ...]
    frames: Frames


@dataclass(frozen=True, slots=True)
class Finding:
    """For one scene: the step of one tensor after one step of the workload, and its bits at each of BITS_DB."""

    key: str
    moment: float
    step: float
    bits: tuple[float, ...]


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


def points_of(workload: Workload) -> Iterator[tuple[Stage, int, str]]:
    """Where to measure: a stage, one of its steps, and a tensor of the state after that step."""
    for stage in workload.stages:
        if stage.kind is not StageKind.DENOISE:
            continue
        count = stage.stop_step - stage.start_step
        for done in sorted({max(1, round(share * count)) for share in _SHARES}):
            step = stage.start_step + done - 1
            for tensor in workload.spec_after(step).tensors:
                if tensor.name in ("xbar", "source"):
                    yield stage, step, tensor.name


def find(
    engine: EapgPipeline,
    reference: Reference,
    step: int,
    name: str,
    shares: dict[int, tuple[float, ...]],
    guess: float,
) -> Finding:
    """The step that leaves this scene at REFERENCE_DB; the error is proportional to it, so few tries are enough."""
    workload, state = reference.workload, reference.states[step]
    stage = workload.stage_of(step)
    alone = Latent({name: state[name]})
    weights = {name: shares[state[name].shape[1]]} if state[name].shape[1] in shares else {}
    codec = CleanCodec()

    def coded(size: float) -> tuple[Latent, float]:
        payload = payload_of(codec, alone, Fidelity({name: size}, weights))
        lossy = latent_of(codec, payload)
        return Latent({**state, name: lossy[name]}), 8 * payload.body_bytes / state[name].size

    for _ in range(_MOST_TRIES):
        lossy, _bits = coded(guess)
        reached = psnr(finish(engine, workload, step, lossy), reference.frames)
        inside = _FAINT_DB < reached < _CLEAR_DB
        gained = min(max(reached, _FAINT_DB), _CLEAR_DB) - REFERENCE_DB
        guess *= 10 ** (gained / 20)
        if inside and abs(gained) < 3.0:
            break
    bits = tuple(coded(guess * 10 ** ((REFERENCE_DB - db) / 20))[1] for db in BITS_DB)
    moment = (step + 1 - stage.start_step) / (stage.stop_step - stage.start_step)
    return Finding(f"{stage.name}/{name}", moment, guess, bits)


def table_of(findings: Sequence[Finding], shares: dict[int, tuple[float, ...]]) -> QualityTable:
    """The finest step that any scene needs, and the mean of the bits."""
    points: dict[str, list[Point]] = {}
    for key, moment in sorted({(finding.key, finding.moment) for finding in findings}):
        here = [finding for finding in findings if (finding.key, finding.moment) == (key, moment)]
        low, middle, high = (float(np.mean(values)) for values in zip(*(f.bits for f in here), strict=True))
        points.setdefault(key, []).append(Point(moment, min(f.step for f in here), (low, middle, high)))
    return QualityTable({key: tuple(values) for key, values in points.items()}, shares)


def calibrate(
    engine: EapgPipeline, requests: Sequence[Request], say: Callable[[str, float], None]
) -> QualityTable:
    """The table for an engine's weights; `say` gets what is being measured and the share that is done."""
    findings: list[Finding] = []
    shares: dict[int, tuple[float, ...]] = {}
    guesses: dict[tuple[str, int], float] = {}
    for index, request in enumerate(requests):
        say(f"{request.prompt}: lossless run", index / len(requests))
        reference = run_reference(engine, request)
        if not shares:
            shares[SPACES[-1].channels] = channel_shares(engine, reference)
        points = list(points_of(reference.workload))
        for done, (stage, step, name) in enumerate(points):
            say(f"{request.prompt}: {stage.name}, {name}", (index + done / len(points)) / len(requests))
            guess = guesses.get((name, step), _FIRST_STEP)
            finding = find(engine, reference, step, name, shares, guess)
            guesses[name, step] = finding.step
            findings.append(finding)
    return table_of(findings, shares)
