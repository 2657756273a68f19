"""Files that prove who somebody is: read within bounds, kept from other users, and read again when they change."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest

MAX_CREDENTIAL_BYTES: Final = 1_000_000
_FOREIGN_RIGHTS: Final = stat.S_IWGRP | stat.S_IRWXO  # a group may read, as mounted secrets often have it


def read_pem(path: Path, *, secret: bool = False) -> bytes:
    """A PEM file; with `secret` it must be kept from other users. Raises InvalidRequest."""
    data = read_bounded(path, secret=secret)
    if b"-----BEGIN" not in data:
        raise InvalidRequest(f"{path} is not a PEM file: TLS needs PEM files for ca, cert and key.")
    return data


def read_bounded(path: Path, *, secret: bool = False) -> bytes:
    """A file of at most MAX_CREDENTIAL_BYTES; `secret` as for `read_pem`. Raises InvalidRequest."""
    try:
        with path.open("rb") as file:
            rights = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(
            f"Cannot read {path} ({error.strerror}): check the paths of certificates, keys and tokens."
        ) from error
    if secret and os.name == "posix" and rights & _FOREIGN_RIGHTS:
        raise InvalidRequest(
            f"{path} is open to other users of this machine: run 'chmod 600 {path}', and renew it if they are"
            " not to be trusted."
        )
    if len(data) > MAX_CREDENTIAL_BYTES:
        raise InvalidRequest(f"{path} is larger than {MAX_CREDENTIAL_BYTES} bytes: that is no key or token.")
    return data


def write_new(path: Path, data: bytes, *, secret: bool = False, force: bool = False) -> None:
    """Writes a file at once or not at all, with `secret` for its owner alone; only `force` replaces one.

    Raises InvalidRequest for one that is there, and where it cannot be written.
    """
    if path.exists() and not force:
        raise InvalidRequest(f"{path} is there already: choose another name, or --force to replace it.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidRequest(
            f"Cannot write {path} ({error.strerror}): choose another folder, or make room."
        ) from error


def make_folder(folder: Path) -> None:
    """A folder for its owner alone, unless it is there already. Raises InvalidRequest."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"Cannot make {folder} ({error.strerror}): choose another --folder.") from error


Stamp = tuple[tuple[int, int, int] | None, ...]


class Watched:
    """Says once of each change that files have changed since it was asked last, or was made."""

    def __init__(self, paths: Iterable[Path | None]) -> None:
        self._paths = tuple(path for path in paths if path is not None)
        self._stamp = self._look()

    def changed(self) -> bool:
        """Looks at the files; takes some microseconds."""
        before, self._stamp = self._stamp, self._look()
        return before != self._stamp

    def _look(self) -> Stamp:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
