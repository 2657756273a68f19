"""`eapg-split train`: the whole recipe in small, and what is said to somebody who asks for the impossible."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.eapg.networks import PARTS
from eapg_split.engines import open_engine
from eapg_split.engines.store import SHIPPED, read_manifest
from eapg_split.errors import CorruptWeights, OutputFailure
from eapg_split.training.command import main
from eapg_split.training.recipe import PHASES, phases_named, trained_modules

STATES = ("text", "autoencoder", "stage1", "stage2", "low")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    assert main(["--smoke", "--folder", str(folder), "--threads", "1"]) == 0
    return folder


def steps_of(folder: Path, name: str) -> int:
    from safetensors import safe_open

    with safe_open(folder / f"{name}.safetensors", framework="pt") as opened:
        return int(json.loads(opened.metadata()["progress"])["steps"])


# without the shipped graphs the smoke run has to trace them, which takes minutes
@pytest.mark.timeout(900)
def test_a_smoke_run_trains_and_exports_everything(smoke: Path) -> None:
    assert {path.name for path in smoke.glob("*.safetensors")} == {f"{name}.safetensors" for name in STATES}
    assert [steps_of(smoke, name) for name in STATES] == [3, 3, 6, 3, 3]
    manifest = read_manifest(smoke / "weights")
    for part in PARTS:
        assert manifest.path(part, "onnx").exists()
        assert manifest.path(part, "safetensors").exists()


def test_what_was_trained_generates(smoke: Path) -> None:
    engine = open_engine("onnx", threads=1, weights=smoke / "weights")
    request = Request(prompt="红色的猫", seconds=0.5, fps=6, width=64, height=64, steps=(1, 1, 1, 1))
    workload = engine.unroll(request)
    state = Latent({})
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
    frames = np.stack(list(engine.decode(workload, state)))
    assert frames.shape == (4, 64, 64, 3)


def test_the_same_command_goes_on(smoke: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(smoke / "text.safetensors", tmp_path)
    flags = ["--smoke", "--folder", str(tmp_path), "--threads", "1", "--phases", "text"]
    assert main(flags) == 2  # text is trained, but the other networks that the export needs are not there
    assert "run those phases before the export" in capsys.readouterr().err
    assert steps_of(tmp_path, "text") == 6


def test_export_only_takes_the_averaged_weights(smoke: Path, tmp_path: Path) -> None:
    target = tmp_path / "weights"
    shutil.copytree(smoke / "weights", target)
    (target / "text.safetensors").unlink()
    flags = ["--export-only", "--keep-graphs", "--folder", str(smoke), "--weights", str(target)]
    assert main([*flags, "--threads", "1"]) == 0
    assert read_manifest(target).fingerprint == read_manifest(smoke / "weights").fingerprint
    assert all(not parameter.isnan().any() for parameter in trained_modules(smoke)["stage1"].parameters())


def test_a_graph_of_other_networks_is_not_kept(
    smoke: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "weights"
    shutil.copytree(smoke / "weights", target)
    shutil.copy(target / "encoder.onnx", target / "text.onnx")
    flags = ["--export-only", "--keep-graphs", "--folder", str(smoke), "--weights", str(target)]
    assert main(flags) == CorruptWeights.exit_code
    assert "text.onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said", "code"),
    [
        (["--minutes", "0"], "--minutes must be above 0", 2),
        (["--minutes", "nan"], "--minutes must be above 0", 2),
        (["--phases", "stage9"], "There is no phase 'stage9': use all, or some of text, autoencoder", 2),
        (["--export-only", "--weights", "out"], "run those phases before the export", 2),
        (["--smoke", "--phases", "low"], "run the phase 'autoencoder' first", 2),
        (["--smoke", "--phases", "text", "--folder", "file"], "cannot be used", OutputFailure.exit_code),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    said: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["--threads", "1", *flags]) == code
    heard = capsys.readouterr().err
    assert said in heard
    assert len(heard.strip().splitlines()) == 1


def test_damaged_state_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.safetensors").write_bytes(b"not a state")
    flags = ["--smoke", "--phases", "text", "--folder", str(tmp_path), "--threads", "1"]
    assert main(flags) == CorruptWeights.exit_code
    assert "text.safetensors is no training state" in capsys.readouterr().err


def test_phases_are_run_in_the_order_of_the_recipe() -> None:
    assert phases_named("all") == PHASES
    assert [phase.name for phase in phases_named("low, text")] == ["text", "low"]
    assert sum(phase.share for phase in PHASES) == pytest.approx(1)


@pytest.mark.skipif(not (SHIPPED / "manifest.json").exists(), reason="the weights are not in this tree")
def test_shipped_weights_fit_the_networks_of_the_recipe() -> None:
    from safetensors.torch import load_file

    from eapg_split.engines.torch_engine import blank

    for part in PARTS:
        wanted = {name: value.shape for name, value in blank(part).state_dict().items()}
        stored = load_file(SHIPPED / f"{part}.safetensors")
        assert {name: value.shape for name, value in stored.items()} == wanted
        assert all(bool(torch.isfinite(value.float()).all()) for value in stored.values())


def test_training_goes_on_from_shipped_weights(tmp_path: Path) -> None:
    target = tmp_path / "weights"
    flags = ["--from", str(SHIPPED), "--export-only", "--keep-graphs", "--folder", str(tmp_path / "state")]
    assert main([*flags, "--weights", str(target), "--threads", "1"]) == 0
    for path in SHIPPED.glob("*.safetensors"):
        ours, theirs = load_file(target / path.name), load_file(path)
        assert all(bool((ours[key] - theirs[key]).abs().max() < 1e-3) for key in theirs), path.name
