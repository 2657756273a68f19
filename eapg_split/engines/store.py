"""Where weights lie on disk: a manifest, and for every part an ONNX graph beside its safetensors file.

The graphs hold no weights of their own: their initialisers point into the safetensors files, which torch reads
too, so that no weight is shipped twice. A file is used only when its size and SHA-256 are the manifest's.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eapg_split.eapg.networks import PARTS
from eapg_split.eapg.quality import QualityTable
from eapg_split.errors import CorruptWeights

SHIPPED: Final = Path(__file__).resolve().parent.parent / "weights"
FORMAT: Final = 1
_MANIFEST_BYTES: Final = 1 << 20
_FILE_BYTES: Final = 1 << 30
_LARGEST_SHIFT: Final = 1000
_MEND: Final = "reinstall eapg_split, or train and export the weights again"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file that the manifest vouches for."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the weights are made of; `fingerprint` identifies them across nodes and engine kinds."""

    folder: Path
    fingerprint: str
    time_shift: tuple[float, float, float, float]
    files: dict[str, FileEntry]
    quality: QualityTable | None = None  # None where the weights were not calibrated

    def path(self, part: str, suffix: str) -> Path:
        """The verified file of a part. Raises CorruptWeights when it is missing, truncated or altered."""
        name = f"{part}.{suffix}"
        entry = self.files.get(name)
        if entry is None:
            raise CorruptWeights(f"The weights in {self.folder} have no {name}: {_MEND}.")
        path = self.folder / name
        try:
            size = path.stat().st_size
            digest = _digest(path) if size == entry.size_bytes else ""
        except OSError as error:
            raise CorruptWeights(
                f"The weights file {path} cannot be read ({error.strerror}): {_MEND}."
            ) from error
        if digest != entry.sha256:
            found = (
                f"has {size} bytes instead of {entry.size_bytes}"
                if size != entry.size_bytes
                else "was altered"
            )
            raise CorruptWeights(f"The weights file {path} {found}: {_MEND}.")
        return path


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_manifest(folder: Path | None = None) -> Manifest:
    """The manifest of the weights in a folder (those that ship by default).

    Raises CorruptWeights when there is none or it is malformed.
    """
    folder = SHIPPED if folder is None else folder
    path = folder / "manifest.json"
    try:
        with path.open("rb") as opened:
            raw = opened.read(_MANIFEST_BYTES + 1)
    except OSError as error:
        raise CorruptWeights(f"There are no weights in {folder} ({error.strerror}): {_MEND}.") from error
    try:
        return _parse(folder, raw)
    except KeyError as error:
        raise CorruptWeights(f"The manifest {path} is malformed (it has no {error}): {_MEND}.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptWeights(f"The manifest {path} is malformed ({error}): {_MEND}.") from error


def _parse(folder: Path, raw: bytes) -> Manifest:
    if len(raw) > _MANIFEST_BYTES:
        raise ValueError("it is too large")
    body = json.loads(raw)
    if body["format"] != FORMAT:
        raise ValueError(f"format {body['format']} instead of {FORMAT}")
    files = {}
    for name, entry in body["files"].items():
        part, _, suffix = name.partition(".")
        if part not in PARTS or suffix not in ("onnx", "safetensors"):
            raise ValueError(f"unknown file {name!r}")
        size = entry["size_bytes"]
        if not isinstance(size, int) or not 0 < size <= _FILE_BYTES:
            raise ValueError(f"{name} cannot have {size!r} bytes")
        files[name] = FileEntry(name, size, str(entry["sha256"]))
    first, second, third, fourth = (_shift(value) for value in body["time_shift"])
    quality = QualityTable.from_json(body["quality"]) if "quality" in body else None
    return Manifest(folder, hashlib.sha256(raw).hexdigest(), (first, second, third, fourth), files, quality)


def write_quality(folder: Path, table: QualityTable) -> None:
    """Puts the table into the manifest of the weights that it was measured with.

    Their fingerprint changes. Raises CorruptWeights when there is no usable manifest, OSError when this fails.
    """
    read_manifest(folder)
    path = folder / "manifest.json"
    body = json.loads(path.read_bytes()) | {"quality": table.to_json()}
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _shift(value: object) -> float:
    if not isinstance(value, int | float) or not 0 < value < _LARGEST_SHIFT:
        raise ValueError(f"a time shift is above 0 and below {_LARGEST_SHIFT}")
    return float(value)
