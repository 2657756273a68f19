"""The training loop: what is kept, and that a run goes on where it stopped."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from eapg_split.errors import CorruptWeights
from eapg_split.training import loop
from eapg_split.training.loop import Budget, Progress, Trainer


def module(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def loss_of(net: nn.Module, batch: Tensor) -> Tensor:
    return (net(batch) - batch[:, :2]).square().mean()


def batches() -> Iterator[Tensor]:
    return repeat(torch.arange(12.0).reshape(4, 3) / 12)


def trained(folder: Path, steps: int) -> tuple[Trainer, list[Progress]]:
    net = module()
    trainer = Trainer("small", net, folder)
    budget = Budget(minutes=5, steps=steps, rate=0.1)
    return trainer, list(trainer.run(batches(), lambda b: loss_of(net, b), 4, budget))


def test_training_learns_counts_and_tells(tmp_path: Path) -> None:
    with torch.no_grad():
        before = float(loss_of(module(), next(batches())))
    trainer, news = trained(tmp_path, 120)
    assert (trainer.steps, trainer.examples) == (120, 480)
    assert news[-1].share == 1.0
    assert (news[-1].step, news[-1].examples, news[-1].phase) == (120, 480, "small")
    with torch.no_grad():
        assert float(loss_of(trainer.use_mean(), next(batches()))) < before / 2


def test_the_budget_of_minutes_ends_a_run(tmp_path: Path) -> None:
    net = module()
    trainer = Trainer("small", net, tmp_path)
    list(trainer.run(batches(), lambda b: loss_of(net, b), 4, Budget(minutes=0.001)))
    assert trainer.steps >= 1
    assert 0 < trainer.minutes < 0.5


def test_an_interrupted_run_goes_on_with_its_live_weights(tmp_path: Path) -> None:
    first, _ = trained(tmp_path, 30)
    first.save(finished=False)
    second = Trainer("small", module(seed=9), tmp_path)
    for name, parameter in second.parameters.items():
        assert torch.equal(parameter, first.parameters[name])
        assert torch.equal(second.mean[name], first.mean[name])
        assert not torch.equal(parameter, second.mean[name])
    assert (second.steps, second.examples, second.minutes) == (30, 120, first.minutes)


def test_after_a_finished_run_the_mean_goes_on(tmp_path: Path) -> None:
    first, _ = trained(tmp_path, 30)
    second, _ = trained(tmp_path, 1)
    assert (second.steps, second.examples) == (31, 124)
    third = Trainer("small", module(seed=9), tmp_path)
    third.save(finished=True)
    for name, parameter in Trainer("small", module(seed=5), tmp_path).parameters.items():
        assert torch.equal(parameter, third.mean[name])
    assert first.minutes <= second.minutes


def test_the_state_can_be_read_without_unpickling(tmp_path: Path) -> None:
    trained(tmp_path, 3)
    with safe_open(tmp_path / "small.safetensors", framework="pt") as opened:
        progress = json.loads(opened.metadata()["progress"])
        assert set(opened.keys()) == {f"{k}/{n}" for k in ("live", "mean") for n in ("weight", "bias")}
    assert progress["steps"] == 3
    assert progress["finished"] is True


@pytest.mark.parametrize("failure", [OSError("no space left"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    trainer, _ = trained(tmp_path, 5)
    kept = trainer.path.read_bytes()

    def half(_tensors: object, path: Path, metadata: object) -> None:
        del metadata
        path.write_bytes(b"half of a state")
        raise failure

    monkeypatch.setattr(loop, "save_file", half)
    with pytest.raises(type(failure)):
        trainer.save(finished=False)
    assert trainer.path.read_bytes() == kept
    assert Trainer("small", module(), tmp_path).steps == 5


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_state(tmp_path: Path) -> None:
    trained(tmp_path, 5)
    kept = (tmp_path / "small.safetensors").read_bytes()
    code = f"""
import os, signal
from pathlib import Path
from torch import nn
from eapg_split.training import loop
def half(tensors, path, metadata):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
loop.save_file = half
loop.Trainer("small", nn.Linear(3, 2), Path({str(tmp_path)!r})).save(finished=True)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=120)
    assert done.returncode == -9, done.stderr
    assert (tmp_path / "small.safetensors").read_bytes() == kept
    assert Trainer("small", module(), tmp_path).steps == 5


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    with pytest.raises(CorruptWeights, match="no training state of this version"):
        Trainer("small", nn.Linear(4, 2), tmp_path)
    with pytest.raises(CorruptWeights, match="name another folder"):
        Trainer("small", nn.Conv2d(1, 1, 1), tmp_path / ".." / tmp_path.name)
    path = tmp_path / "small.safetensors"
    assert load_file(path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CorruptWeights, match="move it away"):
        Trainer("small", module(), tmp_path)


def test_weights_are_clipped_averaged_and_warmed_up(tmp_path: Path) -> None:
    trainer = Trainer("small", module(), tmp_path)
    assert trainer._rate(0, 0.0, 1.0) == pytest.approx(1 / 200)
    assert trainer._rate(1000, 0.5, 1.0) == 1.0
    assert trainer._rate(1000, 1.0, 1.0) == 0.0
    start = {name: mean.clone() for name, mean in trainer.mean.items()}
    with torch.no_grad():
        for parameter in trainer.parameters.values():
            parameter.add_(1)
    trainer._average(0.75)
    for name, mean in trainer.mean.items():
        assert torch.allclose(mean, start[name] + 0.25)
