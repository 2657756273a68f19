"""An engine that takes as long as a node of a scenario would, and computes nothing.

A handful of daemons on one machine would take each other's processor; these wait instead. What they pass on has the
shapes of real states and, coded, about their sizes. Heat and charge are the simulator's (`simulations.body`): they
follow from the steps that run here, slow them down, and stand in the file that `--telemetry file:` reads.

For `--engine eapg_split.emulation.paced:open_engine`; `--weights` names the folder that `write_pace` has filled.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import DEFAULT_FIDELITY, Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Stage, Workload
from eapg_split.eapg.workload import unroll
from eapg_split.errors import CorruptWeights
from eapg_split.planner.models.battery import Battery
from eapg_split.planner.models.thermal import ThermalModel
from eapg_split.runtime.engine import Engine
from simulations.body import Body, Cell, busy_factor
from simulations.node_specs import NodeSpec

KIND: Final = "paced"
FINGERPRINT: Final = "0" * 64
TELEMETRY: Final = "telemetry.jsonl"
_PACE: Final = "pace.json"
_LOOK_S: Final = 0.5  # between two looks at heat and charge
_LATE_S: Final = (
    0.003  # that a wake-up or whoever takes a piece may be late without slowing the next one down
)
_KEPT: Final = 64  # places at which steps ended here, to know which states come from elsewhere
_CHANGE: Final = 1e-3  # by which a state differs from the one a step before

Frames = NDArray[np.uint8]


def write_pace(spec: NodeSpec, seed: int, folder: Path) -> None:
    """Fills the folder with what the engine of a scenario's node needs, and its first telemetry."""
    cell, heat = spec.cell, spec.heat
    pace = {
        "stages": {name: _plain(cost) for name, cost in spec.stages.items()},
        "slower": spec.drift * busy_factor(spec.load),
        "noise": spec.noise,
        "seed": seed,
        "warm": spec.warm,
        "load": spec.load,
        "watts": spec.watts,
        "cell": None
        if cell is None
        else [cell.charge, cell.battery.capacity_wh, cell.charger_w, cell.plugged_s],
        "air_c": None if heat is None else heat.air_c,
    }
    (folder / _PACE).write_text(json.dumps(pace), encoding="utf-8")
    _Pace(pace).tell(folder / TELEMETRY)


class _Pace:
    """How long this node takes, and what that does to its battery and heat. For several threads."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.costs = {
            name: StageCost(**{**cost, "entry_flops_per_s": cost["entry_flops_per_s"] or float("inf")})
            for name, cost in told["stages"].items()
        }
        self.warm: bool = told["warm"]
        self._slower, self._noise, self._load = told["slower"], told["noise"], told["load"]
        self._draws = np.random.default_rng(told["seed"])
        cell = heat = None
        if told["cell"] is not None:
            charge, capacity_wh, charger_w, plugged_s = told["cell"]
            cell = Cell(charge, Battery(capacity_wh=capacity_wh), charger_w, tuple(plugged_s))
        if told["air_c"] is not None:
            heat = ThermalModel(air_c=told["air_c"])
        self._body = Body(cell, heat, watts=tuple(told["watts"]))
        self._lock = threading.Lock()
        self._began_s = self._free_s = time.monotonic()  # until when the engine is taken

    @property
    def changes(self) -> bool:
        """Whether there is anything to tell that changes."""
        return self._body.cell is not None or self._body.model is not None

    def wait(self, work_s: float) -> None:
        """A piece of work of so many seconds at full clock."""
        self.course(work_s)(1.0)

    def course(self, work_s: float) -> Callable[[float], None]:
        """The same piece by piece: what is given waits until a share of it is done. No late wake-up adds up."""
        drawn = float(np.exp(self._noise * self._draws.standard_normal()))
        began_s = time.monotonic()
        with self._lock:
            seconds = self._body.compute(work_s * self._slower * drawn, began_s - self._began_s)
        done = 0.0

        def wait(share: float) -> None:
            nonlocal done
            # while others have the engine nothing is done; a moment between two pieces is the caller's
            begins_s = max(self._free_s, time.monotonic() - (_LATE_S if done else 0.0))
            self._free_s = begins_s + (share - done) * seconds
            done = share
            time.sleep(max(0.0, self._free_s - time.monotonic()))

        return wait

    def tell(self, path: Path) -> None:
        """Writes how the node is, whole or not at all."""
        body = self._body
        with self._lock:
            now_s = time.monotonic() - self._began_s
            charge, skin_c = body.seen(now_s)
            row: dict[str, float] = {"load": self._load, "clock_ratio": body.clock_ratio}
            if body.cell is not None:
                row |= {"charge": round(charge, 2), "plugged": float(body.cell.plugged(now_s))}
            if body.model is not None:
                row["temperature_c"] = round(skin_c, 1)
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(row) + "\n", encoding="utf-8")
        part.replace(path)


class PacedEngine:
    """Waits as long as each step would take; its frames are black, and codecs keep to their own defaults."""

    kind = KIND
    fingerprint = FINGERPRINT

    def __init__(self, pace: _Pace) -> None:
        self._pace = pace
        self._loaded: set[str] = set()
        self._left: deque[tuple[str, int]] = deque(maxlen=_KEPT)

    def prepare(self, parts: Iterable[str]) -> None:
        """Takes as long as loading what is not there yet."""
        for part in parts:
            if part not in self._loaded and not self._pace.warm:
                time.sleep(self._load_s.get(part, 0.0))
            self._loaded.add(part)

    def unroll(self, request: Request) -> Workload:
        return unroll(request)

    def run_step(self, workload: Workload, step: int, state: Latent) -> Latent:
        stage = workload.stage_of(step)
        cost = self._pace.costs[stage.name]
        self._pace.wait(cost.seconds(stage.flops_per_step) + self._entry_s(stage, step, cost))
        self._left.append((stage.name, step + 1))
        tensors = workload.spec_after(step).tensors
        return Latent({each.name: _values(each.name, each.shape, step, state) for each in tensors})

    def decode(self, workload: Workload, state: Latent) -> Iterator[Frames]:
        del state
        stage = workload.stages[-1]
        geometry, cost = stage.geometry, self._pace.costs[stage.name]
        black = np.zeros((geometry.height, geometry.width, 3), np.uint8)
        course = self._pace.course(cost.seconds(stage.flops_per_step))
        for number in range(1, geometry.frames + 1):
            course(number / geometry.frames)
            yield black

    def preview(self, workload: Workload, step: int, state: Latent) -> Frames:
        del state
        geometry = workload.stage_of(step).geometry
        return np.zeros((1, geometry.height, geometry.width, 3), np.uint8)

    def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        del workload, step, quality_db
        return DEFAULT_FIDELITY

    def _entry_s(self, stage: Stage, step: int, cost: StageCost) -> float:
        """What entering the stage takes: at its first step, and for a state that comes from elsewhere."""
        here = (stage.name, step) in self._left
        if here:
            self._left.remove((stage.name, step))
        return 0.0 if here and step > stage.start_step else cost.entry_seconds(stage.entry_flops)

    @cached_property
    def _load_s(self) -> dict[str, float]:
        """Of each of the weights, with the first stage that needs them."""
        seconds = dict[str, float]()
        for stage in unroll(Request("A cat running")).stages:
            for part in stage.parts:
                seconds.setdefault(part, self._pace.costs[stage.name].load_s / len(stage.parts))
        return seconds


def _values(name: str, shape: tuple[int, ...], step: int, state: Latent) -> NDArray[np.float32]:
    """What a stage begins with stays as it is; what it works on is another after each step."""
    if name != "xbar" and name in state and state[name].shape == shape:
        return state[name]
    values: NDArray[np.float32] = _smooth(shape) * np.float32(1 + _CHANGE * step)
    return values


@cache
def _smooth(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth numbers with a little noise, as latents are."""
    generator = np.random.Generator(np.random.Philox(sum(shape)))
    smooth = np.sin(np.indices(shape, np.float32).sum(axis=0) * 0.1)
    values: NDArray[np.float32] = (smooth + 0.03 * generator.standard_normal(shape)).astype(np.float32)
    return values


def _plain(cost: StageCost) -> dict[str, object]:
    values = asdict(cost)
    return {**values, "entry_flops_per_s": None} if cost.entry_flops_per_s == float("inf") else values


def _tell_on(pace: _Pace, path: Path) -> None:
    while True:
        time.sleep(_LOOK_S)
        pace.tell(path)


def open_engine(kind: str, *, threads: int = 0, weights: Path | None = None) -> Engine:
    """Raises CorruptWeights for a folder that `write_pace` has not filled."""
    del kind, threads
    try:
        assert weights is not None
        pace = _Pace(json.loads((weights / _PACE).read_text(encoding="utf-8")))
    except (AssertionError, OSError, ValueError, LookupError, TypeError) as error:
        raise CorruptWeights(
            f"{weights} does not say how fast a node is ({error}): 'eapg-split emulate' writes it."
        ) from error
    if pace.changes:
        threading.Thread(target=_tell_on, args=(pace, weights / TELEMETRY), daemon=True).start()
    return PacedEngine(pace)
