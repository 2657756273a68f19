import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.latent import MAX_RAW_BYTES, LatentSpec
from eapg_split.domain.request import Request
from eapg_split.domain.workload import StageKind
from eapg_split.eapg.networks import PARTS
from eapg_split.eapg.workload import TEXT_SHAPE, unroll
from eapg_split.errors import InvalidRequest

requests = st.builds(
    Request,
    prompt=st.just("A cat running"),
    seconds=st.floats(0.5, 10),
    fps=st.integers(1, 60),
    width=st.integers(32, 960).map(lambda half: 2 * half),
    height=st.integers(32, 540).map(lambda half: 2 * half),
    steps=st.tuples(*[st.integers(1, 64)] * 4),
)


def test_default_workload() -> None:
    workload = unroll(Request("A cat running"))
    assert [(s.name, s.start_step, s.stop_step) for s in workload.stages] == [
        ("text", 0, 1),
        ("stage1", 1, 17),
        ("stage2", 17, 25),
        ("stage3", 25, 29),
        ("stage4", 29, 33),
        ("decode", 33, 34),
    ]
    assert workload.steps == 34
    assert [s.sees_text for s in workload.stages] == [True, True, True, False, False, False]
    s1, s2, s3, s4 = (1, 48, 6, 9, 16), (1, 192, 8, 18, 32), (1, 12, 16, 18, 32), (1, 12, 31, 36, 64)
    expected = {
        -1: LatentSpec(),
        0: LatentSpec.of(text=TEXT_SHAPE),
        1: LatentSpec.of(text=TEXT_SHAPE, xbar=s1),
        16: LatentSpec.of(text=TEXT_SHAPE, xbar=s1),
        17: LatentSpec.of(text=TEXT_SHAPE, source=s1, xbar=s2),
        23: LatentSpec.of(text=TEXT_SHAPE, source=s1, xbar=s2),
        24: LatentSpec.of(xbar=s2),
        25: LatentSpec.of(source=s2, xbar=s3),
        28: LatentSpec.of(xbar=s3),
        29: LatentSpec.of(source=s3, xbar=s4),
        32: LatentSpec.of(xbar=s4),
        33: LatentSpec(),
    }
    assert {step: workload.spec_after(step) for step in expected} == expected


@given(requests)
def test_every_workload_is_whole(request_: Request) -> None:
    workload = unroll(request_)
    assert workload.steps == sum(request_.steps) + 2
    assert [s.kind for s in workload.stages] == [StageKind.TEXT, *[StageKind.DENOISE] * 4, StageKind.DECODE]
    for stage in workload.stages:
        assert set(stage.parts) <= set(PARTS)
        assert stage.flops_per_step > 0
        assert stage.memory_bytes > 0
    last = workload.stages[-1].geometry
    assert (last.width, last.height, last.fps) == (request_.width, request_.height, request_.fps)
    for step in range(workload.steps - 1):
        spec = workload.spec_after(step)
        names = [tensor.name for tensor in spec.tensors]
        later = workload.stage_of(step + 1)
        assert ("text" in names) == (later.kind is StageKind.DENOISE and later.sees_text)
        assert ("xbar" in names) == (step > 0)


def test_a_withheld_prompt_changes_nothing_but_the_prompt() -> None:
    request = Request("A cat running", seconds=1.0)
    assert unroll(request.without_prompt()).specs == unroll(request).specs
    assert unroll(request.without_prompt()).stages == unroll(request).stages


def test_what_cannot_be_held_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="shorter"):
        unroll(Request("A cat", seconds=30, fps=60, width=4096, height=2304))


def test_the_largest_clip_at_the_default_rate_is_legal() -> None:
    workload = unroll(Request("A cat", seconds=30, fps=24, width=4096, height=2304))
    assert max(spec.raw_bytes for spec in workload.specs) <= MAX_RAW_BYTES


def test_parts_of_a_run_of_steps() -> None:
    workload = unroll(Request("A cat"))
    assert workload.parts(0, 25) == ("text", "stage1", "stage2")
    assert workload.parts(25, 29) == ("low", "encoder")
    assert workload.parts(29, 34) == ("low", "encoder", "decoder")


def test_unknown_steps_are_refused() -> None:
    workload = unroll(Request("A cat"))
    for step in (-2, 34):
        with pytest.raises(InvalidRequest):
            workload.spec_after(step)
