"""Both engine kinds compute the same job from the same weights, and a node loads only what its steps need."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.eapg.networks import PARTS, TEXT_TOKENS, TEXT_WIDTH
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.engines import available_engines, open_engine
from eapg_split.engines.grid import cropped, even
from eapg_split.engines.onnx_engine import OnnxNetworks
from eapg_split.engines.store import SHIPPED, read_manifest
from eapg_split.engines.torch_engine import TorchNetworks
from eapg_split.errors import CorruptWeights, EngineFailure, InvalidRequest, Unsupported

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "manifest.json").exists(), reason="the weights are not in this tree"
)

REQUEST = Request(
    prompt="A red cat running to the left", seconds=0.5, fps=8, width=96, height=64, steps=(2, 1, 1, 1)
)
LAW_DB = 50  # across engine kinds


def states(engine: EapgPipeline, request: Request = REQUEST) -> list[Latent]:
    """The state after every step but the decode."""
    workload = engine.unroll(request)
    found = [Latent({})]
    for step in range(workload.steps - 1):
        found.append(engine.run_step(workload, step, found[-1]))
    return found[1:]


def frames(engine: EapgPipeline, request: Request = REQUEST) -> NDArray[np.uint8]:
    return np.stack(list(engine.decode(engine.unroll(request), states(engine, request)[-1])))


@pytest.fixture(scope="module")
def one_thread() -> NDArray[np.uint8]:
    return frames(open_engine("onnx", threads=1))


def test_onnx_gives_the_same_bits_with_any_number_of_threads(one_thread: NDArray[np.uint8]) -> None:
    assert one_thread.shape == (5, 64, 96, 3)
    assert np.array_equal(one_thread, frames(open_engine("onnx", threads=2)))
    assert np.array_equal(one_thread, frames(open_engine("onnx", threads=1)))


def test_onnx_and_torch_agree(one_thread: NDArray[np.uint8]) -> None:
    engine = open_engine("torch", threads=1)
    assert engine.fingerprint == open_engine("onnx").fingerprint
    other = frames(engine).astype(float)
    error = np.square(other - one_thread).mean()
    assert 10 * np.log10(255**2 / max(float(error), 1e-9)) >= LAW_DB


def test_states_of_both_kinds_are_interchangeable() -> None:
    ours, theirs = states(open_engine("onnx", threads=1)), states(open_engine("torch", threads=1))
    for left, right in zip(ours, theirs, strict=True):
        assert left.spec == right.spec
        for name in left:
            assert np.abs(left[name] - right[name]).max() < 0.05, name


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_every_network_call_is_shaped_as_promised(kind: str) -> None:
    make: Callable[..., OnnxNetworks | TorchNetworks] = OnnxNetworks if kind == "onnx" else TorchNetworks
    networks = make(read_manifest(), threads=1)
    networks.load(PARTS)
    networks.load(PARTS)
    text = networks.embed_text("城市夜景")
    assert text.shape == (2, TEXT_TOKENS, TEXT_WIDTH)
    assert np.array_equal(networks.embed_text("")[0], text[1])
    draw = np.random.default_rng(1)
    for stage, shape in (
        (1, (1, 48, 2, 9, 15)),
        (2, (1, 192, 1, 7, 6)),
        (3, (1, 12, 2, 5, 7)),
        (4, (1, 12, 1, 8, 9)),
    ):
        x = draw.standard_normal(shape, np.float32)
        said = text[0] if stage <= 2 else None
        for t in (0.0, 0.7):
            got = networks.predict(stage, x, t, np.zeros_like(x), said)
            assert got.shape == shape
            assert got.dtype == np.float32
            assert got.flags.c_contiguous
            assert np.isfinite(got).all()
    latent = networks.encode_block(draw.uniform(-1, 1, (4, 24, 32, 3)).astype(np.float32))
    assert latent.shape == (12, 3, 4)
    assert networks.decode_block(latent, latent).shape == (4, 24, 32, 3)


def test_a_network_that_cannot_run_is_an_engine_failure() -> None:
    wrong = np.zeros((1, 5, 2, 9, 16), np.float32)
    for networks in (OnnxNetworks(read_manifest(), threads=1), TorchNetworks(read_manifest(), threads=1)):
        with pytest.raises(EngineFailure, match="failed in low"):
            networks.predict(3, wrong, 0.5, wrong, None)


def test_a_node_loads_only_what_its_segment_needs() -> None:
    engine = open_engine("onnx", threads=1)
    workload = engine.unroll(REQUEST)
    by_name = {stage.name: stage for stage in workload.stages}
    before = states(engine)
    for name, needed in (("text", {"text"}), ("stage1", {"stage1"}), ("stage3", {"low", "encoder"})):
        networks = OnnxNetworks(read_manifest(), threads=1)
        pipeline = EapgPipeline(networks, kind="onnx")
        start = by_name[name].start_step
        pipeline.run_step(workload, start, before[start - 1] if start else Latent({}))
        assert set(networks._sessions) == needed


def test_weights_that_nobody_asked_for_are_not_even_read(tmp_path: Path) -> None:
    for part in ("stage1", "manifest"):
        for path in SHIPPED.glob(f"{part}.*"):
            shutil.copy(path, tmp_path)
    engine = open_engine("onnx", weights=tmp_path, threads=1)
    engine.prepare(["stage1"])
    with pytest.raises(CorruptWeights, match="text"):
        engine.prepare(["text"])


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_weights_that_do_not_fit_are_said_to_be_corrupt(tmp_path: Path, kind: str) -> None:
    """A manifest that vouches for the wrong file: neither kind may crash on it."""
    shutil.copytree(SHIPPED, tmp_path, dirs_exist_ok=True)
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    for suffix, source in (("safetensors", "text"), ("onnx", None)):
        path = tmp_path / f"decoder.{suffix}"
        path.write_bytes((tmp_path / f"{source}.{suffix}").read_bytes() if source else b"no graph")
        manifest["files"][path.name] = {"size_bytes": path.stat().st_size, "sha256": _sha256(path)}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptWeights, match="decoder"):
        open_engine(kind, weights=tmp_path, threads=1).prepare(["decoder"])


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="The engine 'tpu' is unknown: use one of onnx, torch"):
        open_engine("tpu")


@pytest.mark.parametrize("kind", ["onnx", "torch"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Unsupported, match=r"pip install \"eapg-split"):
        open_engine(kind)
    reports = {report.kind: report for report in available_engines()}
    assert not reports[kind].available
    assert "not installed" in reports[kind].detail


def test_what_is_there_is_reported() -> None:
    reports = {report.kind: report for report in available_engines()}
    assert reports["onnx"].available
    assert "CPUExecutionProvider" in reports["onnx"].detail
    assert torch.__version__ in reports["torch"].detail


def test_a_generation_needs_no_torch() -> None:
    code = f"""
import sys
from eapg_split.engines import open_engine
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
engine = open_engine("onnx", threads=1)
assert "onnxruntime" not in sys.modules, "a daemon that waits holds no engine"
request = Request(prompt="A cat running", seconds=0.5, fps=4, width=64, height=64, steps=(1, 1, 1, 1))
workload = engine.unroll(request)
state = Latent({{}})
for step in range(workload.steps - 1):
    state = engine.run_step(workload, step, state)
assert len(list(engine.decode(workload, state))) == workload.stages[-1].geometry.frames
print(sorted(name for name in {("torch", "onnx", "cv2", "safetensors.torch")!r} if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_padding_is_taken_off_again() -> None:
    x = np.random.default_rng(2).random((1, 3, 2, 7, 10), np.float32)
    for patch in (1, 2):
        padded = even(x, patch)
        assert padded.shape[-2] % (2 * patch) == padded.shape[-1] % (2 * patch) == 0
        assert np.array_equal(cropped(padded, x.shape), x)
        assert np.array_equal(padded[..., -1, :10], x[..., -1, :])
