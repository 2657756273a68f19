"""PipeEdge's profiles (github.com/usc-isi/PipeEdge): models layer by layer, and what layers cost types of devices.

A folder holds `models.yml` and `device_types.yml`, as its profiler writes them. A model becomes a workload of one
stage a layer, between an input and an output that cost nothing and stay on the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eapg_split.domain.latent import LatentSpec
from eapg_split.domain.profile import StageCost
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Geometry, Stage, StageKind, Workload
from eapg_split.errors import InvalidRequest, Unsupported

MAX_FILE_BYTES: Final = 16 << 20
MAX_LAYERS: Final = 510
_NOTHING: Final = StageCost(0.0, 1e18)
_ROW: Final = 1000
_GEOMETRY: Final = Geometry(1, 64, 64, 1)


@dataclass(frozen=True)
class PipeEdge:
    """What the files of a folder say."""

    models: Mapping[str, Any]
    types: Mapping[str, Any]

    def workload(self, model: str) -> Workload:
        """A model as a workload. Raises InvalidRequest."""
        found = _named(self.models, model, "model")
        layers, batch = _layers(model, found), self._batch(model)
        try:
            memory = [int(float(each) * 1e6) for each in found["mem_MB"]]
            sizes = [int(found["parameters_in"]), *map(int, found["parameters_out"])]
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(f"The model {model} lacks a number ({error}): profile it again.") from error
        if not len(memory) == len(sizes) - 1 == layers:
            raise InvalidRequest(f"The model {model} needs {layers} memories and outputs: profile it again.")
        kinds = [StageKind.TEXT, *[StageKind.DENOISE] * layers, StageKind.DECODE]
        names = ["input", *map(_name, range(1, layers + 1)), "output"]
        rows = enumerate(zip(names, kinds, [1, *memory, 1], strict=True))
        stages = tuple(
            Stage(name, kind, step, step + 1, step == 0, _GEOMETRY, 1.0, size, (name,))
            for step, (name, kind, size) in rows
        )
        specs = [LatentSpec.of(x=(1, 1, 1, -(-max(1, size * batch) // _ROW), _ROW)) for size in sizes]
        return Workload(Request(model), stages, (*specs, LatentSpec()))

    def costs(self, kind: str, model: str) -> dict[str, StageCost]:
        """What each stage of a model takes a type of device. Raises InvalidRequest."""
        layers = _layers(model, _named(self.models, model, "model"))
        seconds = [float(each) for each in self._profile(kind, model)["time_s"]]
        if len(seconds) != layers:
            raise InvalidRequest(f"The profile of {model} on {kind} needs {layers} times: profile it again.")
        found = {_name(layer): StageCost(each, 1e18) for layer, each in enumerate(seconds, start=1)}
        return {"input": _NOTHING, **found, "output": _NOTHING}

    def _profile(self, kind: str, model: str) -> Mapping[str, Any]:
        profiles = _named(self.types, kind, "type of device").get("model_profiles") or {}
        if not profiles.get(model):
            raise InvalidRequest(f"{kind} has no profile of {model}: profile it there, or use another type.")
        first: Mapping[str, Any] = profiles[model][0]
        return first

    def _batch(self, model: str) -> int:
        """Of the first profile that there is: sizes are of one item, times of a batch."""
        for kind in self.types.values():
            for profile in (kind.get("model_profiles") or {}).get(model) or ():
                return int(profile.get("batch_size", 1))
        return 1


def read_pipeedge(folder: Path) -> PipeEdge:
    """Both files of a folder. Raises InvalidRequest, Unsupported without PyYAML."""
    return PipeEdge(_read(folder / "models.yml"), _read(folder / "device_types.yml"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError:
        raise Unsupported("PipeEdge's profiles are YAML: pip install 'eapg-split[simulate]'.") from None
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequest(f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB: cut it.")
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read ({error.strerror}): name PipeEdge's folder.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path.name} is not YAML: {' '.join(str(error).split())[:200]}.") from error
    if not isinstance(table, dict):
        raise InvalidRequest(f"{path.name} is no map of names: write it with PipeEdge's profiler.")
    return table


def _named(table: Mapping[str, Any], name: str, what: str) -> Mapping[str, Any]:
    found = table.get(name)
    if not isinstance(found, dict):
        raise InvalidRequest(f"There is no {what} {name!r}: there are {', '.join(map(str, table))}.")
    return found


def _layers(model: str, found: Mapping[str, Any]) -> int:
    layers = found.get("layers")
    if not isinstance(layers, int) or not 1 <= layers <= MAX_LAYERS:
        raise InvalidRequest(f"The model {model} needs 1 to {MAX_LAYERS} layers.")
    return layers


def _name(layer: int) -> str:
    return f"layer{layer}"
