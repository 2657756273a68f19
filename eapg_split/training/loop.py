"""One resumable training loop for every phase of the recipe.

State is kept in safetensors: the weights, their exponential mean and how far they came, saved every minute, so
that a run that was stopped (or killed) goes on where it was; the optimiser's moments settle again while the
learning rate warms up. The rate falls to zero over the last third of a run; after a finished run the next one
starts from the mean.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from eapg_split.errors import CorruptWeights

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a phase trains: until `minutes` have passed or `steps` are done, whichever is first."""

    minutes: float
    steps: int = 10**9
    rate: float = 1e-3
    average: float = 0.999


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of news from a running phase."""

    phase: str
    step: int
    share: float
    loss: float
    examples: int


def _save(path: Path, tensors: dict[str, Tensor], meta: dict[str, str]) -> None:
    partial = path.with_suffix(".part")
    save_file({k: v.detach().contiguous().cpu() for k, v in tensors.items()}, partial, metadata=meta)
    partial.replace(path)


def learning_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor in it on the device; batches are tensors, tuples or dataclasses of such."""
    if isinstance(batch, Tensor):
        return cast(Batch, batch.to(device))
    if isinstance(batch, tuple):
        return cast(Batch, tuple(moved(part, device) for part in batch))
    if is_dataclass(batch) and not isinstance(batch, type):
        parts = {field.name: moved(getattr(batch, field.name), device) for field in fields(batch)}
        return cast(Batch, replace(batch, **parts))
    return batch


class Trainer:
    """Trains one module; `folder/NAME.safetensors` holds its state.

    Raises CorruptWeights when that file does not hold the state of such a module.
    """

    def __init__(self, name: str, module: nn.Module, folder: Path) -> None:
        self.name, self.module = name, module
        self.device = next(module.parameters()).device
        self.path = folder / f"{name}.safetensors"
        self.parameters = {k: p for k, p in module.named_parameters() if p.requires_grad}
        self.mean: dict[str, Tensor] = {k: p.detach().clone() for k, p in self.parameters.items()}
        self.examples, self.minutes, self.steps = 0, 0.0, 0
        if self.path.exists():
            self._resume()

    def _resume(self) -> None:
        try:
            stored = load_file(self.path)
            with safe_open(self.path, framework="pt") as opened:
                meta = json.loads((opened.metadata() or {})["progress"])
            fits = all(
                stored[f"{kind}/{key}"].shape == parameter.shape
                for key, parameter in self.parameters.items()
                for kind in ("live", "mean")
            )
            if not fits:
                raise ValueError("tensors of other shapes")
        except (SafetensorError, ValueError, KeyError) as error:
            raise CorruptWeights(
                f"{self.path} is no training state of this version: move it away, or name another folder."
            ) from error
        with torch.no_grad():
            for key, parameter in self.parameters.items():
                # the mean is the better point to go on from after a finished run
                parameter.copy_(stored[f"{'mean' if meta.get('finished') else 'live'}/{key}"])
                self.mean[key] = stored[f"mean/{key}"].to(parameter.device)
        self.examples, self.minutes, self.steps = meta["examples"], meta["minutes"], meta["steps"]

    def save(self, *, finished: bool) -> None:
        tensors: dict[str, Tensor] = {f"live/{k}": p for k, p in self.parameters.items()}
        tensors |= {f"mean/{k}": p for k, p in self.mean.items()}
        meta = {
            "examples": self.examples, "minutes": self.minutes, "steps": self.steps, "finished": finished
        }  # fmt: skip
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _save(self.path, tensors, {"progress": json.dumps(meta)})

    def _rate(self, step: int, share: float, peak: float) -> float:
        warm = min(1.0, (step + 1) / 200)
        return peak * warm * min(1.0, max(0.0, (1 - share) / 0.35))

    def run(
        self, batches: Iterator[Batch], loss_of: Callable[[Batch], Tensor], batch_size: int, budget: Budget
    ) -> Iterator[Progress]:
        """Trains until the budget is spent, saving every minute; yields progress every few seconds."""
        optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=budget.rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        begun = said = saved = time.monotonic()
        before, smooth, step, share = self.minutes, math.nan, 0, 0.0
        while share < 1:
            spent = (time.monotonic() - begun) / 60
            share = max(spent / budget.minutes, (step + 1) / budget.steps)
            for group in optimiser.param_groups:
                group["lr"] = self._rate(step, share, budget.rate)
            loss = loss_of(moved(next(batches), self.device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
            optimiser.step()
            self._average(min(budget.average, (self.steps + 1) / (self.steps + 10)))
            step += 1
            self.steps, self.examples = self.steps + 1, self.examples + batch_size
            value = float(loss.detach())
            smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
            now = time.monotonic()
            self.minutes = before + (now - begun) / 60
            if now - said > 5:
                said = now
                yield Progress(self.name, self.steps, min(share, 1.0), smooth, self.examples)
            if now - saved > 60:
                saved = now
                self.save(finished=False)
        self.save(finished=True)
        yield Progress(self.name, self.steps, 1.0, smooth, self.examples)

    def _average(self, decay: float) -> None:
        with torch.no_grad():
            for key, parameter in self.parameters.items():
                self.mean[key].lerp_(parameter, 1 - decay)

    def use_mean(self) -> nn.Module:
        """The module with its averaged weights, ready for inference."""
        with torch.no_grad():
            for key, parameter in self.parameters.items():
                parameter.copy_(self.mean[key])
        return self.module.eval()
