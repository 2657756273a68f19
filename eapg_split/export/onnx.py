"""Writes the shipped weights: one safetensors file and one ONNX graph a part, and the manifest over them.

The graphs carry no weights. Each initialiser points at the bytes of the same tensor inside the safetensors file
(half precision) and is cast to float where it is used; ONNX Runtime folds the cast when it loads.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from eapg_split.eapg.networks import TEXT_TOKENS, TEXT_WIDTH
from eapg_split.eapg.prompt import TEXT_BYTES
from eapg_split.errors import CorruptWeights

_OPSET: Final = 20
_ROUNDING: Final = 1e-2
_SMALL: Final = 1024  # bytes: constants up to this stay inside the graph


@dataclass(frozen=True, slots=True)
class PartSpec:
    """How one part is traced: example inputs by name, and which of their axes may change size."""

    module: nn.Module
    inputs: Mapping[str, Tensor | None]
    axes: Mapping[str, tuple[int, ...]]


def _half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().to(torch.float16).contiguous() for key, value in state.items()}


def _offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor lies in a safetensors file: (offset, length) from the start of the file."""
    with path.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    base = 8 + length
    return {
        key: (base + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for key, entry in header.items()
        if key != "__metadata__"
    }


def _trace(spec: PartSpec) -> onnx.ModelProto:
    dynamic = {
        name: None if value is None else dict.fromkeys(spec.axes.get(name, ()), torch.export.Dim.DYNAMIC)
        for name, value in spec.inputs.items()
    }
    program = torch.onnx.export(
        spec.module.eval(),
        kwargs=dict(spec.inputs),
        dynamo=True,
        verbose=False,
        external_data=False,
        dynamic_shapes=dynamic,
        opset_version=_OPSET,
        optimize=False,
    )
    if program is None:
        raise RuntimeError("the exporter gave no program")
    return program.model_proto


def _point_to(initialiser: onnx.TensorProto, location: str, place: tuple[int, int]) -> onnx.TensorProto:
    pointer = onnx.TensorProto()
    pointer.name = f"{initialiser.name}/half"
    pointer.data_type = onnx.TensorProto.FLOAT16
    pointer.dims.extend(initialiser.dims)
    pointer.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", place[0]), ("length", place[1])):
        entry = pointer.external_data.add()
        entry.key, entry.value = key, str(value)
    return pointer


def _detach_weights(graph: onnx.GraphProto, location: str, places: Mapping[str, tuple[int, int]]) -> None:
    """Replaces every initialiser that has a namesake in the safetensors file by a pointer and a cast."""
    kept, pointers, casts = [], [], []
    for initialiser in graph.initializer:
        if initialiser.name in places:
            pointer = _point_to(initialiser, location, places[initialiser.name])
            pointers.append(pointer)
            casts.append(
                helper.make_node("Cast", [pointer.name], [initialiser.name], to=onnx.TensorProto.FLOAT)
            )
        else:
            size = numpy_helper.to_array(initialiser).nbytes
            if size > _SMALL:
                raise ValueError(f"{initialiser.name} ({size} bytes) would be shipped twice")
            kept.append(initialiser)
    nodes = list(graph.node)
    del graph.initializer[:]
    del graph.node[:]
    graph.initializer.extend(kept + pointers)
    graph.node.extend(casts + nodes)


def export_part(name: str, spec: PartSpec, folder: Path, *, retrace: bool = True) -> None:
    """Writes NAME.safetensors and NAME.onnx into the folder.

    Without `retrace` the graph stays as it is: enough, and much faster, when only the weights are new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{name}.safetensors"
    save_file(_half(spec.module.state_dict()), weights)
    if not retrace and (folder / f"{name}.onnx").exists():
        return
    model = _trace(spec)
    _detach_weights(model.graph, weights.name, _offsets(weights))
    del model.graph.value_info[:]
    for node in model.graph.node:
        # where a node came from in the source is of no use to a reader of the graph, and names this machine
        node.doc_string = ""
        del node.metadata_props[:]
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def write_manifest(folder: Path, time_shift: tuple[float, float, float, float]) -> None:
    """Vouches for every graph and weights file in the folder."""
    files = {
        path.name: {
            "size_bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.iterdir())
        if path.suffix in (".onnx", ".safetensors")
    }
    body = {"format": 1, "time_shift": list(time_shift), "files": files}
    (folder / "manifest.json").write_text(json.dumps(body, indent=1) + "\n")


def _grid(channels: int, frames: int, height: int, width: int) -> Tensor:
    return torch.zeros(1, channels, frames, height, width)


def part_specs(modules: Mapping[str, nn.Module]) -> dict[str, PartSpec]:
    """How each of the six parts is traced."""
    moment = {"t": torch.full((1,), 0.5), "level": torch.full((1,), 0.5)}
    text = torch.zeros(1, TEXT_TOKENS, TEXT_WIDTH)
    latent = (2, 3, 4)

    def denoiser(name: str, example: Tensor, extra: dict[str, Tensor | None]) -> PartSpec:
        inputs: dict[str, Tensor | None] = {"x": example, "t": moment["t"], **extra, "level": moment["level"]}
        return PartSpec(modules[name], inputs, {"x": latent, "clean_up": latent})

    video = torch.zeros(1, 4, 48, 80, 3)
    flat = torch.zeros(1, 12, 6, 10)
    first = _grid(48, 6, 10, 16)
    second = _grid(192, 4, 18, 32)
    third = _grid(12, 5, 20, 32)
    return {
        "text": PartSpec(modules["text"], {"tokens": torch.zeros(1, TEXT_BYTES, dtype=torch.int64)}, {}),
        "stage1": denoiser("stage1", first, {"clean_up": None, "text": text}),
        "stage2": denoiser("stage2", second, {"clean_up": second.clone(), "text": text}),
        "low": denoiser("low", third, {"clean_up": third.clone(), "text": None}),
        "encoder": PartSpec(modules["encoder"], {"frames": video}, {"frames": (2, 3)}),
        "decoder": PartSpec(
            modules["decoder"],
            {"latent": flat, "previous": flat.clone()},
            {"latent": (2, 3), "previous": (2, 3)},
        ),
    }


def check(name: str, spec: PartSpec, folder: Path) -> float:
    """Largest difference between the graph and the (half-rounded) module on random inputs.

    Raises CorruptWeights when it is more than rounding: a kept graph can be that of other networks.
    """
    import onnxruntime as ort

    stale = CorruptWeights(f"The graph {name}.onnx in {folder} is not that of this network: trace it anew.")
    rounded = {k: v.half().to(v.dtype) for k, v in spec.module.state_dict().items()}
    spec.module.load_state_dict(rounded)
    draw = torch.Generator().manual_seed(1)
    feeds = {
        key: value if value.dtype == torch.int64 else torch.randn(value.shape, generator=draw) * 0.5
        for key, value in spec.inputs.items()
        if value is not None
    }
    try:
        session = ort.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        (got,) = session.run(None, {key: value.numpy() for key, value in feeds.items()})
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise stale from error
    with torch.no_grad():
        wanted = spec.module(**(dict.fromkeys(spec.inputs) | feeds)).numpy()
    difference = float(np.abs(got - wanted).max())
    if not difference <= _ROUNDING * max(1.0, float(np.abs(wanted).max())):
        raise stale
    return difference
