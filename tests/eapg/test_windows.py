import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.eapg.noise import Box
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.eapg.windows import WindowLimits, ramps, spans, tiled
from tests.toy_networks import ToyNetworks

Floats = NDArray[np.float32]


@given(st.integers(1, 300), st.integers(2, 12), st.integers(1, 6))
def test_windows_cover_everything_and_overlap(length: int, quarter: int, quarter_overlap: int) -> None:
    size, overlap = 4 * quarter, 4 * quarter_overlap
    assume(overlap <= size // 2)
    windows = spans(length, size, overlap)
    assert windows[0][0] == 0
    assert windows[-1][1] == length
    assert all(stop - start == min(size, length) for start, stop in windows)
    for (_, stop), (start, _) in itertools.pairwise(windows):
        assert stop - start >= overlap - length % 4
    assert all(start % 4 == 0 for start, _ in windows[:-1])
    assert len(windows) == 1 or len(windows) <= 2 + length // (size - overlap)


@given(st.integers(1, 300), st.integers(1, 12))
def test_weights_sum_to_one(length: int, eighth: int) -> None:
    windows = spans(length, 8 * eighth, 4 * eighth)
    total = np.zeros(length)
    for (start, stop), weight in zip(windows, ramps(length, windows), strict=True):
        assert weight.min() >= 0
        total[start:stop] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 9, 20, 30), (2, 40, 8, 8), (1, 1, 1, 1), (2, 5, 33, 17)])
def test_tiles_of_a_local_function_make_the_whole(shape: tuple[int, int, int, int]) -> None:
    field = np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    def local(box: Box) -> Floats:
        (t0, t1), (h0, h1), (w0, w1) = box
        result: Floats = np.tanh(field[:, t0:t1, h0:h1, w0:w1])
        return result

    drawn = tiled(shape, WindowLimits((8, 12, 16), (4, 4, 4)), local)
    np.testing.assert_allclose(drawn, np.tanh(field), atol=1e-6)


def test_a_small_latent_is_one_window() -> None:
    boxes: list[Box] = []

    def whole(box: Box) -> Floats:
        boxes.append(box)
        return np.ones((2, 3, 4, 5), np.float32)

    tiled((2, 3, 4, 5), WindowLimits((8, 8, 8), (2, 2, 2)), whole)
    assert boxes == [((0, 3), (0, 4), (0, 5))]


def test_windows_do_not_show_in_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The noise and everything else a window gets belongs to its place: a pointwise network cannot tell."""
    request = Request("x", seconds=0.5, fps=12, width=64, height=64, steps=(1, 1, 2, 2))
    states = []
    for size in (None, 12):
        if size is not None:
            small = WindowLimits((8, size, size), (4, 4, 4))
            monkeypatch.setattr("eapg_split.eapg.pipeline.FINE", small)
            monkeypatch.setattr("eapg_split.eapg.pipeline.LIGHT", small)
        networks = ToyNetworks()
        pipeline = EapgPipeline(networks, kind="toy")
        workload, state = pipeline.unroll(request), Latent()
        for step in range(workload.steps - 1):
            state = pipeline.run_step(workload, step, state)
        states.append((state["xbar"], len(networks.calls)))
    assert states[1][1] > 4 * states[0][1]
    np.testing.assert_allclose(states[1][0], states[0][0], atol=1e-5)
