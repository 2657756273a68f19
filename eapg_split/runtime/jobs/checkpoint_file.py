"""A checkpoint as a file: safetensors, checked by size and checksum before anything of it is believed. Blocking."""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.numpy import load, save

from eapg_split.codecs.base import checksum_of
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.latent import MAX_RAW_BYTES, Latent
from eapg_split.errors import CorruptPayload, InvalidRequest
from eapg_split.runtime.jobs.ticket import CheckpointFile

MAX_FILE_BYTES: Final = MAX_RAW_BYTES + 2**16  # the numbers and what safetensors says of them


@dataclass(frozen=True)
class KeptState:
    """The state before `step`, what is left of the error budget, and the weights that computed it."""

    step: int
    state: Latent
    budget: ErrorBudget
    fingerprint: str


def write_checkpoint(folder: Path, kept: KeptState) -> CheckpointFile:
    """Puts the file into the folder, whole and on the disk when this returns. Raises OSError."""
    budget = {"quality_db": kept.budget.quality_db, "remaining": kept.budget.remaining}
    said = {"step": kept.step, "fingerprint": kept.fingerprint, **budget}
    data = save(dict(kept.state), metadata={"checkpoint": json.dumps(said)})
    name = f"step-{kept.step}.safetensors"
    write_whole(folder / name, data)
    return CheckpointFile(kept.step, name, len(data), checksum_of(data))


def read_checkpoint(folder: Path, file: CheckpointFile) -> KeptState:
    """What `write_checkpoint` wrote. Raises CorruptPayload for anything else, before it is allocated for."""
    path = folder / file.name
    try:
        if path.parent != folder or not 0 < file.size_bytes <= MAX_FILE_BYTES:
            raise ValueError("the journal does not name a checkpoint")
        with path.open("rb") as opened:
            data = opened.read(file.size_bytes + 1)
        if len(data) != file.size_bytes or checksum_of(data) != file.checksum:
            raise ValueError("it is not whole")
        said = json.loads(_metadata(data))
        step, fingerprint = said["step"], said["fingerprint"]
        quality_db, remaining = float(said["quality_db"]), float(said["remaining"])
        if step != file.step or not isinstance(fingerprint, str):
            raise ValueError("it is of another step")
        if not (math.isfinite(quality_db) and 0 <= remaining <= 1):
            raise ValueError("its error budget is no budget")
        return KeptState(step, Latent(load(data)), ErrorBudget(quality_db, remaining), fingerprint)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
        SafetensorError,
        InvalidRequest,
    ) as error:
        raise CorruptPayload(
            f"The checkpoint {path} cannot be used ({error}): the job begins again."
        ) from error


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole, on the disk, or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Returns when the folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _metadata(data: bytes) -> str:
    """Safetensors gives a file's metadata only by its path, which would read it twice."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return str(header["__metadata__"]["checkpoint"])
