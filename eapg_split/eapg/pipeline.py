"""The method put together: runs the steps of a workload over any engine's networks.

Nothing here depends on where the steps before ran: what a step needs is in its state, in the request and in the
weights. What is kept between calls only saves work.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Stage, StageKind, Workload
from eapg_split.eapg import sampler
from eapg_split.eapg.completion import complete_prompt
from eapg_split.eapg.networks import Networks
from eapg_split.eapg.noise import Box, latent_noise
from eapg_split.eapg.schedule import SIGMA, SIGNAL, canvas_of, time_grid
from eapg_split.eapg.spaces import SPACES, decode, decode_at, encode
from eapg_split.eapg.upsample import upsample
from eapg_split.eapg.windows import FINE, LIGHT, tiled
from eapg_split.eapg.workload import unroll
from eapg_split.errors import CorruptPayload, EngineFailure, InvalidRequest

Floats = NDArray[np.float32]
Frames = NDArray[np.uint8]

PREVIEW_FRAMES: Final = 8
PREVIEW_PIXELS: Final = 256 * 144


class EapgPipeline:
    """Steps, decode and previews over one set of networks. Not for use by two threads at a time.

    `kind` names the engine kind whose networks these are.
    """

    def __init__(self, networks: Networks, *, kind: str) -> None:
        self.networks = networks
        self.kind = kind
        self._kept: _Kept | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights' manifest."""
        return self.networks.fingerprint

    def prepare(self, parts: Iterable[str]) -> None:
        """Load weights before they are needed. Raises CorruptWeights."""
        self.networks.load(parts)

    def unroll(self, request: Request) -> Workload:
        """The workload of a request. Raises InvalidRequest when it is too large."""
        return unroll(request)

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        """The state after a text or denoising step.

        Raises InvalidRequest for the decode step or a withheld prompt, CorruptPayload when the state is not
        that of this step, EngineFailure when the networks give values that are not finite.
        """
        stage = workload.stage_of(step)
        _check_state(workload.spec_after(step - 1), state, step)
        self.networks.load(stage.parts)
        if stage.kind is StageKind.DENOISE:
            return self._denoise(workload, step, state)
        if stage.kind is StageKind.DECODE:
            raise InvalidRequest("The decode step gives frames, not a state: call decode.")
        if workload.request.prompt_withheld:
            raise InvalidRequest(
                "The prompt is withheld from this node: run the text step where it is known."
            )
        text = complete_prompt(workload.request.prompt, workload.request.seed).text
        return _pick(workload, step, {"text": self.networks.embed_text(text)})

    def decode(self, workload: Workload, state: Latent) -> Iterator[Frames]:
        """The output's RGB frames (height, width, 3) in order, from the state before the decode step."""
        last = workload.steps - 1
        _check_state(workload.spec_after(last - 1), state, last)
        self.networks.load(("decoder",))
        request = workload.request
        ratio = canvas_of(request.width, request.height).ratio
        geometry = workload.stages[-1].geometry
        for frame in decode(SPACES[-1], state["xbar"], geometry.frames, self.networks):
            cropped = frame[: request.height * ratio, : request.width * ratio]
            yield _to_bytes(_box_mean(cropped, ratio))

    def preview(self, workload: Workload, step: int, state: Latent) -> Frames:
        """A few frames (n, h, w, 3) of the clean estimate after a denoising step, small and cheap.

        Raises InvalidRequest for another step.
        """
        stage = workload.stage_of(step)
        if stage.kind is not StageKind.DENOISE:
            raise InvalidRequest(f"Step {step} has nothing to preview: ask for a denoising step.")
        _check_state(workload.spec_after(step), state, step + 1)
        space = SPACES[_number(stage) - 1]
        if not space.light:
            self.networks.load(("decoder",))
        latent = state["xbar"]
        length = latent.shape[2]
        picked = sorted({i * (length - 1) // (PREVIEW_FRAMES - 1) for i in range(PREVIEW_FRAMES)})
        pixels = stage.geometry.width * stage.geometry.height
        shrink = next((r for r in (1, 2, 4, 8) if pixels <= PREVIEW_PIXELS * r * r), 16)
        frames = (decode_at(space, latent, index, self.networks)[-1] for index in picked)
        return np.stack([_to_bytes(_box_mean(frame, shrink)) for frame in frames])

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        """What a lossy codec may do to the state after a step; the codecs' own defaults for uncalibrated weights."""
        table = self.networks.quality
        return DEFAULT_FIDELITY if table is None else table.fidelity(workload, step, quality_db)

    def _denoise(self, workload: Workload, step: int, state: Latent) -> Latent:
        stage = workload.stage_of(step)
        number, first = _number(stage), step == stage.start_step
        source = None if number == 1 else state["xbar" if first else "source"]
        grid = time_grid(stage.stop_step - stage.start_step, self.networks.time_shift[number - 1])
        t, t_next = grid[step - stage.start_step : step - stage.start_step + 2]
        moment = _Moment(
            request=workload.request,
            number=number,
            t=t,
            clean_up=self._clean_up(workload, number, source),
            xbar=None if first else state["xbar"],
            text=state.get("text"),
        )
        space = SPACES[number - 1]
        limits = LIGHT if space.light else FINE
        xhat = tiled(space.shape(stage.geometry), limits, lambda box: self._predict(moment, box))
        tensors = {"xbar": sampler.step(moment.xbar, xhat[None], t=t, t_next=t_next)}
        if moment.text is not None:
            tensors["text"] = moment.text
        if source is not None:
            tensors["source"] = source
        if step + 1 == stage.stop_step:
            self._kept = None
        return _pick(workload, step, tensors)

    def _predict(self, moment: "_Moment", box: Box) -> Floats:
        """The prediction xhat (C, t, h, w) of one window."""
        number = moment.number
        window = (slice(None), slice(None), *(slice(*span) for span in box))
        noise = latent_noise(moment.request.seed, number, shape=_four(moment.clean_up.shape[1:]), box=box)
        clean_up = np.ascontiguousarray(moment.clean_up[window])
        xbar = None if moment.xbar is None else moment.xbar[window]
        mu = np.float32(SIGNAL[number - 1]) * clean_up
        x_t = sampler.noisy(mu, noise[None], xbar, sigma=SIGMA[number - 1], t=moment.t)

        def call(text: Floats | None) -> Floats:
            xhat = self.networks.predict(number, x_t, moment.t, clean_up, text)
            if xhat.shape != x_t.shape or not np.isfinite(xhat).all():
                raise EngineFailure(f"The network of stage {number} gave values that are not finite numbers.")
            return xhat.reshape(x_t.shape[1:])

        if moment.text is None:
            return call(None)
        conditioned = call(moment.text[0])
        if moment.request.guidance == 1:
            return conditioned
        return sampler.guided(conditioned, call(moment.text[1]), moment.request.guidance)

    def _clean_up(self, workload: Workload, number: int, source: Floats | None) -> Floats:
        """The clean latent that the stage starts from (1, C, T, H, W); zeros at stage 1.

        Kept while the same source comes back, which it does as long as the stage goes on here.
        """
        stage = workload.stages[number]
        space = SPACES[number - 1]
        if source is None:
            return np.zeros((1, *space.shape(stage.geometry)), np.float32)
        if self._kept is not None and self._kept.source is source and self._kept.stage == stage:
            return self._kept.clean_up
        before = workload.stages[number - 1].geometry
        frames = decode(SPACES[number - 2], source, before.frames, self.networks)
        raised = upsample(frames, before, stage.geometry)
        self._kept = _Kept(source, stage, encode(space, raised, stage.geometry, self.networks))
        return self._kept.clean_up


@dataclass(frozen=True, slots=True)
class _Moment:
    """All that a prediction depends on."""

    request: Request
    number: int
    t: float
    clean_up: Floats
    xbar: Floats | None
    text: Floats | None


@dataclass(frozen=True, slots=True)
class _Kept:
    source: Floats
    stage: Stage
    clean_up: Floats


def _number(stage: Stage) -> int:
    """1 to 4 for the denoising stages."""
    return int(stage.name.removeprefix("stage"))


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    channels, frames, height, width = shape
    return channels, frames, height, width


def _check_state(spec: LatentSpec, state: Latent, step: int) -> None:
    if state.spec != spec:
        raise CorruptPayload(f"The state before step {step} has the wrong tensors or shapes: send it again.")


def _pick(workload: Workload, step: int, tensors: dict[str, Floats]) -> Latent:
    """The state after a step: what later steps need of these tensors, and nothing else."""
    spec = workload.spec_after(step)
    state = Latent({tensor.name: tensors[tensor.name] for tensor in spec.tensors})
    if state.spec != spec:
        raise EngineFailure(
            f"Step {step} gave {state.spec}, not {spec}: the weights do not fit this version."
        )
    return state


def _box_mean(frame: Floats, ratio: int) -> Floats:
    if ratio == 1:
        return frame
    height, width = frame.shape[0] // ratio, frame.shape[1] // ratio
    cropped = frame[: height * ratio, : width * ratio]
    mean: Floats = cropped.reshape(height, ratio, width, ratio, 3).mean(axis=(1, 3), dtype=np.float32)
    return mean


def _to_bytes(frame: Floats) -> Frames:
    return (frame * np.float32(127.5) + np.float32(128.0)).astype(np.uint8)  # rounds: -1 is 0 and 1 is 255
