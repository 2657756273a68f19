"""Files that a command leaves behind: their folder is tried before anything is computed, and none is there by half."""

import tempfile
from contextlib import suppress
from pathlib import Path

from eapg_split.errors import OutputFailure


def make_folder(folder: Path) -> None:
    """Makes it where it is missing, and tries it. Raises OutputFailure."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputFailure(f"{folder} takes no files ({error.strerror}): choose another folder.") from error


def write_text(path: Path, text: str) -> None:
    """Writes the whole file, or leaves what was there before. Raises OutputFailure."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise OutputFailure.of(error, path) from error
