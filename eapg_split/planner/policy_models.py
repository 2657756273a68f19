"""Trained models that place stages, from files: numbers and ONNX graphs, nothing that runs as Python."""

import math
from io import BytesIO
from pathlib import Path
from typing import Final, Protocol
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from eapg_split.errors import InvalidRequest
from eapg_split.planner.onnx_model import OnnxModel
from eapg_split.planner.stage_choices import CODECS, JOB_FEATURES, MAX_NODES, NODE_FEATURES, Choice, Rows

ENDINGS: Final = (".npz", ".onnx")
MAX_BYTES: Final = 64 << 20
MAX_LAYERS: Final = 16
ROW_INPUTS: Final = len(NODE_FEATURES) + len(JOB_FEATURES)


class PolicyModel(Protocol):
    """Says how good each choice is: the more the better."""

    def logits(self, choice: Choice) -> tuple[Rows, Rows]:
        """One number for each of MAX_NODES nodes, and one for each of CODECS."""
        ...


class RowModel:
    """The same small network for every node, of its features and the job's: tanh between layers, one number at the end.

    It does not know how many nodes there are, or in which order. Among codecs it takes the first that is legal.
    """

    def __init__(self, layers: list[tuple[Rows, Rows]]) -> None:
        """Weights [inputs, outputs] and biases [outputs] of each layer, the first of ROW_INPUTS, the last to 1.

        Raises InvalidRequest for what does not fit together, or is no number.
        """
        if not 1 <= len(layers) <= MAX_LAYERS:
            raise InvalidRequest(f"has {len(layers)} layers: 1 to {MAX_LAYERS} are w0, b0, w1, b1 and so on.")
        width = ROW_INPUTS
        for number, (weights, biases) in enumerate(layers):
            fits = weights.ndim == 2 and weights.shape[0] == width and biases.shape == weights.shape[1:]
            if not fits:
                raise InvalidRequest(
                    f"has w{number} of shape {weights.shape} and b{number} of {biases.shape}, where {width} inputs"
                    " are wanted."
                )
            if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
                raise InvalidRequest(f"has what is no number in layer {number}.")
            width = weights.shape[1]
        if width != 1:
            raise InvalidRequest(f"ends in {width} numbers for a node: one is wanted.")
        self._layers = layers

    def logits(self, choice: Choice) -> tuple[Rows, Rows]:
        """As PolicyModel."""
        job = np.broadcast_to(choice.job, (MAX_NODES, len(choice.job)))
        rows = np.concatenate([choice.nodes, job], axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            for number, (weights, biases) in enumerate(self._layers):
                rows = rows @ weights + biases
                if number + 1 < len(self._layers):
                    rows = np.tanh(rows)
        return np.nan_to_num(rows[:, 0], nan=-np.inf), -np.arange(len(CODECS), dtype=np.float32)


def read_model(path: Path) -> PolicyModel:
    """The model in a file. Raises InvalidRequest with what is wrong, to be read after the file's name."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidRequest(f"is larger than {MAX_BYTES >> 20} MiB.")
        return OnnxModel(path.read_bytes()) if path.suffix == ".onnx" else RowModel(_layers(path))
    except OSError as error:
        raise InvalidRequest(f"cannot be read: {error.strerror}.") from error


def write_row_model(path: Path, layers: list[tuple[Rows, Rows]]) -> None:
    """Keeps the layers of a RowModel. Raises InvalidRequest for layers that are none."""
    RowModel(layers)
    arrays = {
        f"{letter}{number}": each
        for number, layer in enumerate(layers)
        for letter, each in zip("wb", layer, strict=True)
    }
    np.savez(path, allow_pickle=False, **arrays)


def _layers(path: Path) -> list[tuple[Rows, Rows]]:
    try:
        with ZipFile(path) as archive:
            return _layers_in(archive)
    except (InvalidRequest, OSError):
        raise
    except Exception as error:  # zipfile, zlib and numpy's reader of headers raise many kinds
        raise InvalidRequest(f"is no file of numpy's savez with numbers: {error}.") from error


def _layers_in(archive: ZipFile) -> list[tuple[Rows, Rows]]:
    members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
        raise InvalidRequest(f"unpacks to more than {MAX_BYTES >> 20} MiB.")
    count = len(members) // 2
    wanted = {f"{letter}{number}" for number in range(count) for letter in "wb"}
    if members.keys() != wanted:
        raise InvalidRequest(f"holds {str(sorted(members))[:100]}: w0, b0, w1, b1 and so on are wanted.")
    arrays = {name: _array(name, _unpacked(archive, member)) for name, member in members.items()}
    return [(arrays[f"w{number}"], arrays[f"b{number}"]) for number in range(count)]


def _unpacked(archive: ZipFile, member: ZipInfo) -> bytes:
    """No more than the member says: without a number zipfile makes room for gigabytes, and unpacks as many."""
    with archive.open(member) as packed:
        return packed.read(member.file_size)


def _array(name: str, data: bytes) -> Rows:
    """What numpy's own reader gives, which makes room for whatever the header claims before it looks for it."""
    stream = BytesIO(data)
    if npy.read_magic(stream) != (1, 0):
        raise InvalidRequest(f"has {name} in a version that numpy does not write for numbers.")
    shape, by_columns, kind = npy.read_array_header_1_0(stream)
    left = len(data) - stream.tell()
    if kind.kind != "f" or math.prod(shape) * kind.itemsize != left or min(shape, default=0) < 0:
        raise InvalidRequest(
            f"has {name} as {kind} of shape {str(shape)[:100]} in {left} bytes: floats are wanted."
        )
    flat = np.frombuffer(data, kind, offset=stream.tell())
    with np.errstate(over="ignore"):  # what is beyond a float32 is refused with the infinite
        return flat.reshape(shape, order="F" if by_columns else "C").astype(np.float32)
