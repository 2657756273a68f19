"""The folder of `--out`: tried before anything is computed, and what cannot be written there is said."""

import tempfile
from pathlib import Path

from eapg_split.errors import OutputFailure


def make_out(folder: Path | None) -> None:
    """Makes it where it is missing, if one is wanted, and tries it. Raises OutputFailure."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputFailure(f"{folder} takes no files ({error.strerror}): choose another --out.") from error


def write_out(path: Path, text: str) -> None:
    """Writes a file there. Raises OutputFailure."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputFailure(f"{path} cannot be written ({error.strerror}): make room.") from error
