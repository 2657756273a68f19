"""The folder in which a device keeps its jobs: one daemon at a time, the journal, and a folder for each job. Blocking.

FOLDER/lock              held while a daemon uses the folder
FOLDER/jobs.sqlite       the journal
FOLDER/jobs/SESSION/     a job's checkpoint, what its sink writes (`part`), its output once that is whole (`output`)
FOLDER/damaged/          what was set aside last because it could not be read
"""

import fcntl
import logging
import os
import re
import shutil
import time
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.runtime.jobs.journal import Damaged, Journal

_log = logging.getLogger(__name__)
_LOCK_S: Final = 5.0  # a daemon that was killed may take a moment to be gone
_LOCK_POLL_S: Final = 0.05
_JOURNAL: Final = "jobs.sqlite"


def default_folder(node: str) -> Path:
    """Where a daemon keeps its jobs: under $XDG_STATE_HOME, or ~/.local/state without it."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "eapg_split" / "nodes" / re.sub(r"[^A-Za-z0-9._]", "_", node)[:64]


class JobFolder:
    """One job's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def part(self) -> Path:
        """Where the sink writes."""
        return self.path / "part"

    @property
    def output(self) -> Path:
        """What the sink wrote, whole."""
        return self.path / "output"

    def make(self) -> None:
        """The folder, for its owner only."""
        self.path.mkdir(mode=0o700, exist_ok=True)

    def tidy(self, keep: str | None = None) -> None:
        """Removes everything but one file or folder: what the journal does not name is not whole."""
        for each in self.path.iterdir() if self.path.is_dir() else ():
            if each.name != keep:
                _remove(each)

    def remove(self) -> None:
        """Removes the folder."""
        _remove(self.path)

    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(each.stat().st_size for each in self.path.rglob("*") if each.is_file())


class JobHome:
    """The folder in use, until `close`."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder and opens the journal; one that cannot be read is set aside, with a warning.

        Raises InvalidRequest where the folder cannot be written or another daemon uses it.
        """
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(folder / "lock")
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            self.journal = self._opened()
            self._jobs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            os.close(self._lock)
            raise _unusable(folder, error) from error

    @property
    def _jobs(self) -> Path:
        return self._folder / "jobs"

    def job(self, session: str) -> JobFolder:
        """A job's folder, which need not exist."""
        return JobFolder(self._jobs / session)

    def remove_strangers(self, known: frozenset[str]) -> None:
        """Removes the folders of jobs that nobody was promised."""
        for each in self._jobs.iterdir():
            if each.name not in known:
                _remove(each)

    def close(self) -> None:
        """Another daemon may take the folder."""
        self.journal.close()
        os.close(self._lock)

    def _opened(self) -> Journal:
        path = self._folder / _JOURNAL
        try:
            return Journal(path)
        except Damaged as error:
            aside = self._set_aside()
            _log.warning(
                "the journal of jobs %s cannot be read (%s): it was set aside in %s, and its jobs are lost; submit"
                " them again",
                path,
                error,
                aside,
            )
            return Journal(path)

    def _set_aside(self) -> Path:
        """Moves the journal and the jobs out of the way, in place of what was set aside before."""
        aside = self._folder / "damaged"
        _remove(aside)
        aside.mkdir(mode=0o700)
        for each in (*self._folder.glob(f"{_JOURNAL}*"), self._jobs):
            if each.exists():
                each.rename(aside / each.name)
        return aside


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    waited_until = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > waited_until:
                os.close(descriptor)
                raise InvalidRequest(
                    f"Another daemon uses {path.parent}: give each its own --node, or its own --state."
                ) from None
            time.sleep(_LOCK_POLL_S)
        else:
            return descriptor


def _unusable(folder: Path, error: OSError) -> InvalidRequest:
    reason = error.strerror or str(error)
    return InvalidRequest(f"Jobs cannot be kept in {folder} ({reason}): choose another folder with --state.")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
