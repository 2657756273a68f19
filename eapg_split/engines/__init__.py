"""Engine kinds: each computes the same steps from the same weights."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eapg_split.eapg.networks import Networks
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.engines.store import Manifest, read_manifest
from eapg_split.errors import InvalidRequest, Unsupported

KINDS: Final = ("onnx", "torch")
_NEEDS: Final = {"onnx": ("onnxruntime", "eapg-split"), "torch": ("torch", "eapg-split[torch]")}


@dataclass(frozen=True, slots=True)
class EngineReport:
    """Whether an engine kind can run here: its version and accelerators, or what is missing."""

    kind: str
    available: bool
    detail: str


def _networks(kind: str, manifest: Manifest, threads: int) -> Networks:
    """Imports an engine kind only when it is asked for: a daemon that waits holds neither."""
    if kind == "onnx":
        from eapg_split.engines.onnx_engine import OnnxNetworks

        return OnnxNetworks(manifest, threads=threads)
    from eapg_split.engines.torch_engine import TorchNetworks

    return TorchNetworks(manifest, threads=threads)


class _LazyNetworks:
    """Networks whose engine kind is imported with the first weights."""

    def __init__(self, kind: str, manifest: Manifest, threads: int) -> None:
        self.fingerprint = manifest.fingerprint
        self.time_shift = manifest.time_shift
        self.quality = manifest.quality
        self._open = lambda: _networks(kind, manifest, threads)
        self._real: Networks | None = None

    def __getattr__(self, name: str) -> object:
        if self._real is None:
            self._real = self._open()
        return getattr(self._real, name)


def open_engine(kind: str = "onnx", *, threads: int = 0, weights: Path | None = None) -> EapgPipeline:
    """The engine of a kind over the weights in a folder (those that ship by default); loads none yet.

    `threads` 0 means one per core. Raises InvalidRequest for an unknown kind, Unsupported when its package is
    not installed, CorruptWeights when the manifest cannot be read.
    """
    if kind not in KINDS:
        raise InvalidRequest(f"The engine {kind!r} is unknown: use one of {', '.join(KINDS)}.")
    module, package = _NEEDS[kind]
    if importlib.util.find_spec(module) is None:
        raise Unsupported(f'The engine {kind!r} needs {module}: pip install "{package}".')
    networks = _LazyNetworks(kind, read_manifest(weights), threads)
    return EapgPipeline(networks, kind=kind)  # type: ignore[arg-type]


def available_engines() -> tuple[EngineReport, ...]:
    """What each kind finds on this machine; imports the packages."""
    return tuple(_report(kind) for kind in KINDS)


def _report(kind: str) -> EngineReport:
    module, package = _NEEDS[kind]
    if importlib.util.find_spec(module) is None:
        return EngineReport(kind, False, f'{module} is not installed: pip install "{package}"')
    if kind == "onnx":
        import onnxruntime

        return EngineReport(
            kind, True, f"{onnxruntime.__version__}, {', '.join(onnxruntime.get_available_providers())}"
        )
    import torch

    where = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU only"
    return EngineReport(kind, True, f"{torch.__version__}, {where}")
