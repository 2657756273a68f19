"""Small files of the kernel, read so that nothing about them can raise."""

import math
import os
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 4096
_MOST_ENTRIES: Final = 1024


def text(path: Path) -> str:
    """What the file says, without space around it; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return ""


def number(path: Path, unit: float = 1.0) -> float | None:
    """The file's number times `unit`; None where there is none, or one that is not finite."""
    try:
        value = float(text(path))
    except ValueError:
        return None
    return value * unit if math.isfinite(value) else None


def entries(folder: Path, prefix: str = "") -> list[Path]:
    """What is in a folder and begins so, in the order of the names; nothing where it cannot be read."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith(prefix))
    except OSError:
        return []
    return [folder / name for name in names[:_MOST_ENTRIES]]
