"""The whole method over toy networks: split anywhere, still clips, fresh noise, and refusals."""

import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import latent_of, payload_of
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.schedule import SIGMA, SIGNAL
from eapg_split.errors import CorruptPayload, EngineFailure, InvalidRequest
from tests.toy_networks import ToyNetworks

Floats = NDArray[np.float32]
SMALL = Request("A cat running", seconds=0.5, fps=12, width=96, height=64, steps=(3, 2, 3, 2), seed=5)
COLOUR = np.array([0.25, -0.5, 0.75], np.float32)


def pipeline(networks: ToyNetworks | None = None) -> EapgPipeline:
    return EapgPipeline(networks or ToyNetworks(), kind="toy")


def finish(engine: EapgPipeline, workload: Workload, state: Latent, *, start: int = 0) -> NDArray[np.uint8]:
    for step in range(start, workload.steps - 1):
        state = engine.run_step(workload, step, state)
    return np.stack(list(engine.decode(workload, state)))


@pytest.fixture(scope="module")
def undivided() -> tuple[list[Latent], NDArray[np.uint8]]:
    engine = pipeline()
    workload, states = engine.unroll(SMALL), [Latent()]
    for step in range(workload.steps - 1):
        states.append(engine.run_step(workload, step, states[-1]))
    return states, np.stack(list(engine.decode(workload, states[-1])))


@pytest.mark.parametrize("cut", range(12))
def test_split_anywhere_same_video(cut: int, undivided: tuple[list[Latent], NDArray[np.uint8]]) -> None:
    """The state before any step goes through the lossless codec to a fresh pipeline: the same frames, bit by bit."""
    states, frames = undivided
    codec = CODECS["lossless"]
    engine = pipeline()
    workload = engine.unroll(SMALL if cut == 0 else SMALL.without_prompt())
    np.testing.assert_array_equal(
        finish(engine, workload, latent_of(codec, payload_of(codec, states[cut])), start=cut), frames
    )


def test_all_cuts_are_tried(undivided: tuple[list[Latent], NDArray[np.uint8]]) -> None:
    assert len(undivided[0]) == pipeline().unroll(SMALL).steps == 12


def test_the_output_is_what_was_asked_for(undivided: tuple[list[Latent], NDArray[np.uint8]]) -> None:
    frames = undivided[1]
    assert frames.shape == (7, 64, 96, 3)
    assert frames.dtype == np.uint8
    assert len(np.unique(frames)) > 50


@pytest.mark.parametrize(
    "other",
    [
        Request("A dog", seconds=0.5, fps=12, width=96, height=64, steps=(3, 2, 3, 2), seed=5),
        Request("A cat running", seconds=0.5, fps=12, width=96, height=64, steps=(3, 2, 3, 2), seed=6),
        Request(
            "A cat running", seconds=0.5, fps=12, width=96, height=64, steps=(3, 2, 3, 2), seed=5, guidance=3
        ),
    ],
)
def test_text_seed_and_guidance_matter(
    other: Request, undivided: tuple[list[Latent], NDArray[np.uint8]]
) -> None:
    engine = pipeline()
    assert not np.array_equal(finish(engine, engine.unroll(other), Latent()), undivided[1])


def test_two_jobs_on_one_pipeline_do_not_disturb_each_other(
    undivided: tuple[list[Latent], NDArray[np.uint8]],
) -> None:
    engine, workload = pipeline(), pipeline().unroll(SMALL)
    one, two = Latent(), Latent()
    for step in range(workload.steps - 1):
        one = engine.run_step(workload, step, one)
        two = engine.run_step(workload, step, two)
        if step == 8:
            two = Latent({name: array.copy() for name, array in two.items()})
    assert one == two == undivided[0][-1]


class Still(ToyNetworks):
    """Predicts a still clip of one colour at stage 1, and what it was given afterwards."""

    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        if stage > 1:
            return clean_up
        return np.ascontiguousarray(np.broadcast_to(COLOUR.repeat(16)[None, :, None, None, None], x_t.shape))


@pytest.mark.parametrize("size", [(96, 64), (512, 288), (66, 200)])
def test_a_still_clip_is_a_fixed_point(size: tuple[int, int]) -> None:
    request = Request("x", seconds=0.5, fps=10, width=size[0], height=size[1], steps=(3, 2, 2, 2))
    engine = pipeline(Still())
    frames = finish(engine, engine.unroll(request), Latent())
    expected = np.rint((COLOUR + 1) * 127.5)
    assert np.abs(frames - expected).max() <= 1  # the toy autoencoder rounds
    assert len(np.unique(frames.reshape(-1, 3), axis=0)) == 1


class Spy(ToyNetworks):
    """Keeps what the first step of each stage sees."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: dict[int, tuple[Floats, Floats]] = {}

    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        if t == 0:
            self.starts[stage] = (x_t, clean_up)
        return super().predict(stage, x_t, t, clean_up, text)


def test_noise_is_fresh_and_independent_after_every_hand_off() -> None:
    spy = Spy()
    engine = pipeline(spy)
    request = Request("x", seconds=2, fps=24, width=256, height=144, steps=(2, 2, 2, 2))
    finish(engine, engine.unroll(request), Latent())
    fields = {}
    for stage, (start, clean_up) in spy.starts.items():
        noise = (start - np.float32(SIGNAL[stage - 1]) * clean_up) / SIGMA[stage - 1]
        fields[stage] = noise.astype(np.float64)
        n = noise.size
        assert abs(fields[stage].mean()) < 4 / n**0.5
        assert abs(fields[stage].var() - 1) < 4 * (2 / n) ** 0.5
        assert abs((fields[stage] ** 4).mean() - 3) < 4 * (96 / n) ** 0.5
        assert abs((fields[stage] * clean_up).mean()) < 4 * clean_up.std() / n**0.5 + 4e-3
        for axis in range(1, 5):
            for lag in (1, 2):
                if noise.shape[axis] <= lag:
                    continue
                a = np.take(fields[stage], range(noise.shape[axis] - lag), axis=axis)
                b = np.take(fields[stage], range(lag, noise.shape[axis]), axis=axis)
                assert abs((a * b).mean()) < 4.5 / a.size**0.5
    assert sorted(fields) == [1, 2, 3, 4]
    for stage in (1, 2, 3):
        one, two = fields[stage].ravel(), fields[stage + 1].ravel()
        shared = min(one.size, two.size)
        assert abs((one[:shared] * two[:shared]).mean()) < 4.5 / shared**0.5


def test_calls_follow_guidance_and_the_time_grid() -> None:
    networks = ToyNetworks()
    engine = pipeline(networks)
    workload, state = engine.unroll(SMALL), Latent()
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
    assert [stage for stage, _ in networks.calls] == [1] * 6 + [2] * 4 + [3] * 3 + [4] * 2
    assert [t for stage, t in networks.calls if stage == 3] == pytest.approx([0, 1 / 3, 2 / 3])
    assert [t for stage, t in networks.calls if stage == 2] == pytest.approx(
        [0, 0, 0.4, 0.4]
    )  # shifted by 1.5
    plain = ToyNetworks()
    engine = pipeline(plain)
    workload = engine.unroll(
        Request("x", seconds=0.5, fps=4, steps=(1, 1, 1, 1), width=64, height=64, guidance=1)
    )
    engine.run_step(workload, 1, engine.run_step(workload, 0, Latent()))
    assert [stage for stage, _ in plain.calls] == [1]


def test_a_step_loads_only_what_it_needs(undivided: tuple[list[Latent], NDArray[np.uint8]]) -> None:
    networks = ToyNetworks()
    engine = pipeline(networks)
    workload = engine.unroll(SMALL)
    engine.run_step(workload, 6, undivided[0][6])
    assert networks.loaded == {"low", "encoder"}


def test_previews_are_small_and_of_every_stage() -> None:
    request = Request("x", seconds=0.5, fps=12, width=1280, height=720, steps=(1, 1, 1, 1))
    engine = pipeline()
    workload, state = engine.unroll(request), Latent()
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
        if workload.stage_of(step).kind is StageKind.DENOISE:
            preview = engine.preview(workload, step, state)
            assert preview.dtype == np.uint8
            assert 1 <= len(preview) <= 8
            assert preview.shape[1] * preview.shape[2] <= 256 * 144
            assert preview.shape[3] == 3
            assert abs(preview.shape[2] / preview.shape[1] - 16 / 9) < 0.15
    with pytest.raises(InvalidRequest):
        engine.preview(workload, 0, state)


def test_what_does_not_fit_is_refused(undivided: tuple[list[Latent], NDArray[np.uint8]]) -> None:
    engine = pipeline()
    workload, states = engine.unroll(SMALL), undivided[0]
    with pytest.raises(CorruptPayload):
        engine.run_step(workload, 3, states[8])
    with pytest.raises(CorruptPayload):
        list(engine.decode(workload, states[2]))
    with pytest.raises(InvalidRequest):
        engine.run_step(workload, workload.steps - 1, states[-1])
    with pytest.raises(InvalidRequest):
        engine.run_step(workload, workload.steps, states[-1])
    with pytest.raises(InvalidRequest, match="withheld"):
        engine.run_step(engine.unroll(SMALL.without_prompt()), 0, Latent())


class Broken(ToyNetworks):
    def predict(self, stage: int, x_t: Floats, t: float, clean_up: Floats, text: Floats | None) -> Floats:
        return np.full_like(x_t, np.nan)


def test_values_that_are_not_numbers_are_an_engine_failure(
    undivided: tuple[list[Latent], NDArray[np.uint8]],
) -> None:
    engine = pipeline(Broken())
    with pytest.raises(EngineFailure):
        engine.run_step(engine.unroll(SMALL), 1, undivided[0][1])


def test_white_space_around_the_prompt_changes_nothing() -> None:
    engine = pipeline()
    states = [
        engine.run_step(engine.unroll(Request(prompt)), 0, Latent()) for prompt in ("A cat", "  A cat\n")
    ]
    assert states[0] == states[1]
