"""The table that turns a wanted quality into quantiser steps, and the measurement that fills it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from eapg_split.codecs.base import Fidelity, latent_of, payload_of
from eapg_split.codecs.clean import CleanCodec
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.eapg.calibration import calibrate, finish, psnr, run_reference
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.quality import Point, QualityTable
from tests.toy_networks import ToyNetworks

REFERENCE = 44.25  # what the table's steps are used for: the rest is kept in hand
REQUEST = Request("A cat running", seconds=1.0, fps=4, width=64, height=64, steps=(2, 2, 2, 2))
SMALL, LARGE = 256 * 256, 1024 * 1024  # pixels that are drawn: 64x64 is drawn four times as large
STAGES = {
    "stage2/xbar": (Point(0.5, 0.8, (0.01, 0.02, 0.04)), Point(1.0, 0.2, (0.1, 0.2, 0.4))),
    "stage2/source": (Point(0.5, 0.1, (0.4, 0.8, 1.2)),),
    "stage4/xbar": (Point(1.0, 0.2, (0.5, 1.0, 2.0)),),
}
TABLE = QualityTable(
    {SMALL: STAGES, LARGE: {"stage4/xbar": (Point(1.0, 0.05, (1.5, 3.0, 5.0)),)}},
    {12: tuple(0.5 + i / 10 for i in range(12))},
)


@pytest.fixture(scope="module")
def pipeline() -> EapgPipeline:
    return EapgPipeline(ToyNetworks(), kind="toy")


def test_six_decibels_more_are_half_the_step(pipeline: EapgPipeline) -> None:
    workload = pipeline.unroll(REQUEST)
    last = workload.stages[4].stop_step - 1
    reference, finer = (
        TABLE.fidelity(workload, last, db).steps["xbar"] for db in (REFERENCE, REFERENCE + 20 * np.log10(2))
    )
    assert (reference, finer) == pytest.approx((0.2, 0.1))
    fidelity = TABLE.fidelity(workload, last, REFERENCE)
    assert fidelity.channels["xbar"] == TABLE.channels[12]
    assert fidelity.bits["xbar"] == pytest.approx(1.0)


def test_tensors_share_the_error_by_their_sizes(pipeline: EapgPipeline) -> None:
    workload = pipeline.unroll(REQUEST)
    step = workload.stages[2].start_step
    sizes = {tensor.name: tensor.size for tensor in workload.spec_after(step).tensors}
    fidelity = TABLE.fidelity(workload, step, REFERENCE)
    whole = sizes["xbar"] + sizes["source"]
    assert fidelity.steps["xbar"] == pytest.approx(0.8 * (sizes["xbar"] / whole) ** 0.5)
    assert fidelity.steps["source"] == pytest.approx(0.1 * (sizes["source"] / whole) ** 0.5)
    assert "text" not in fidelity.steps


@pytest.mark.parametrize(
    ("side", "step", "bits"),
    [
        pytest.param(64, 0.2, 1.0, id="as measured"),
        pytest.param(192, 0.2, 1.0, id="smaller"),
        pytest.param(512, 0.1, 2.0, id="half-way in the logarithm"),
        pytest.param(1024, 0.05, 3.0, id="the largest"),
        pytest.param(2048, 0.05 * 10**-0.05, 3.0 + 2 / 9, id="beyond: a decibel finer"),
    ],
)
def test_steps_lie_between_those_of_the_measured_sizes(
    pipeline: EapgPipeline, side: int, step: float, bits: float
) -> None:
    workload = pipeline.unroll(replace(REQUEST, width=side, height=side))
    fidelity = TABLE.fidelity(workload, workload.stages[4].stop_step - 1, REFERENCE)
    assert fidelity.steps["xbar"] == pytest.approx(step)
    assert fidelity.bits["xbar"] == pytest.approx(bits)


def test_what_was_not_measured_is_left_to_the_codec(pipeline: EapgPipeline) -> None:
    workload = pipeline.unroll(REQUEST)
    assert TABLE.fidelity(workload, workload.stages[1].start_step, 45) == Fidelity()
    assert TABLE.fidelity(workload, 0, 45) == Fidelity()
    assert pipeline.fidelity(workload, workload.stages[4].start_step, 45) == Fidelity()


def test_a_table_comes_back_from_json() -> None:
    assert QualityTable.from_json(json.loads(json.dumps(TABLE.to_json()))) == TABLE


@pytest.mark.parametrize(
    "damage",
    [
        {"sizes": []},
        {"sizes": {}},
        {"sizes": {"many": {}}},
        {"sizes": {"0": {}}},
        {"sizes": {"99999999999": {}}},
        {"sizes": {"36864": []}},
        {"sizes": {"36864": {"stage1/xbar": []}}},
        {"sizes": {"36864": {"stage1/xbar": [[1.0, 0.1, 1, 1]]}}},
        {"sizes": {"36864": {"stage1/xbar": [[1.0, float("nan"), 1, 1, 1]]}}},
        {"sizes": {"36864": {"stage1/xbar": [[1.0, -1, 1, 1, 1]]}}},
        {"sizes": {"36864": {"stage1/xbar": [[1.0, 1, 1, 1, 1], [0.5, 1, 1, 1, 1]]}}},
        {"channels": {"12": [1.0]}},
        {"channels": {"twelve": [1.0]}},
    ],
)
def test_a_damaged_table_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        QualityTable.from_json({**TABLE.to_json(), **damage})


def test_calibration_finds_steps_that_are_enough_for_every_clip(pipeline: EapgPipeline) -> None:
    said: list[float] = []
    clips = [replace(REQUEST, fps=2, seed=seed) for seed in (0, 1)]
    table = calibrate(pipeline, clips, clips[:1], lambda _, share: said.append(share))
    assert said == sorted(said)
    assert 0 <= said[0] <= said[-1] <= 1
    assert len(table.channels[12]) == 12
    assert set(table.sizes) == {SMALL}
    assert {key.split("/")[0] for key in table.sizes[SMALL]} == {"stage1", "stage2", "stage3", "stage4"}
    for clip in clips:
        reference = run_reference(pipeline, clip)
        workload = reference.workload
        for stage in workload.stages[1:5]:
            step = stage.stop_step - 1
            fidelity = table.fidelity(workload, step, 45)
            lossy = latent_of(CleanCodec(), payload_of(CleanCodec(), reference.states[step], fidelity))
            reached = psnr(finish(pipeline, workload, step, Latent(lossy)), reference.frames)
            assert reached > 44.5, (clip.seed, stage.name)
