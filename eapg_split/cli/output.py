"""Receives the video's bytes: under NAME.part until all are there, then under the wanted name, or not at all."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from eapg_split.errors import CorruptPayload, InvalidRequest, OutputFailure
from eapg_split.runtime.events import OutputChunk, OutputFile
from eapg_split.video import suffix_of


class OutputWriter:
    """A context: leaving it without `commit` removes what was written.

    Entering it checks the place and claims it, before anything is computed. Raises OutputFailure or InvalidRequest.
    """

    def __init__(self, wanted: str) -> None:
        self.target = Path(wanted)
        self._is_folder = suffix_of(wanted) == ""
        if not self.target.name:
            raise InvalidRequest(f"'{wanted}' is not a name for a video: write for example -o cat.mp4.")
        self._part = self.target.with_name(f"{self.target.name}.part")
        self._file: BinaryIO | None = None
        self._declared = OutputFile("", 0)
        self._missing_bytes = 0
        self._digest = hashlib.sha256()
        self._files: set[str] = set()

    def __enter__(self) -> Self:
        self._check_place()
        with _failures(self._part):
            if self._is_folder:
                shutil.rmtree(self._part, ignore_errors=True)
                self._part.mkdir()
            else:
                self._file = self._part.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_quietly()
        if self._is_folder:
            shutil.rmtree(self._part, ignore_errors=True)
        else:
            self._part.unlink(missing_ok=True)

    def begin(self, file: OutputFile) -> None:
        """The next file; its bytes follow. One that began before begins anew: the device was away meanwhile.

        Raises CorruptPayload where the one before is not whole.
        """
        again = file.name in self._files
        if again:
            self._missing_bytes = 0
        else:
            self._finish_file()
        if self._is_folder:
            if file.name != Path(file.name).name or file.name in ("", ".", ".."):
                raise CorruptPayload(
                    f"The device sent a file named {file.name!r}, which is not a plain name: try again."
                )
            self._close_quietly()
            with _failures(self._part):
                self._file = (self._part / file.name).open("wb")
        elif self._files and not again:
            raise CorruptPayload("The device sent a second file for a single output: try again.")
        elif again:
            self._close_quietly()
            with _failures(self._part):
                self._file = self._part.open("wb")
        self._files.add(file.name)
        self._declared, self._missing_bytes, self._digest = file, file.size_bytes, hashlib.sha256()

    def write(self, chunk: OutputChunk) -> None:
        self._missing_bytes -= len(chunk.data)
        if self._file is None or self._missing_bytes < 0:
            raise CorruptPayload("The device sent more bytes than it had announced: try again.")
        self._digest.update(chunk.data)
        with _failures(self.target):
            self._file.write(chunk.data)

    def commit(self) -> None:
        """Everything has arrived: the wanted name appears, whole. Raises CorruptPayload or OutputFailure."""
        self._finish_file()
        if not self._files:
            raise CorruptPayload("The device sent no video: try again.")
        with _failures(self.target):
            if self._is_folder and self.target.exists():
                self.target.rmdir()
            self._part.replace(self.target)

    def _check_place(self) -> None:
        if self._is_folder and self.target.exists():
            if not self.target.is_dir():
                raise InvalidRequest(
                    f"'{self.target}' is not a folder: choose another name, or one that ends in .mp4."
                )
            with _failures(self.target):
                if any(self.target.iterdir()):
                    raise InvalidRequest(
                        f"The folder '{self.target}' is not empty: empty it or choose another."
                    )
        elif not self._is_folder and self.target.is_dir():
            raise InvalidRequest(f"'{self.target}' is a folder: choose another name.")

    def _finish_file(self) -> None:
        if self._missing_bytes:
            raise CorruptPayload("The video did not arrive whole: try again.")
        if self._file is not None and self._files:
            if self._declared.sha256 not in ("", self._digest.hexdigest()):
                raise CorruptPayload("The video was altered on its way: try again.")
            with _failures(self.target):
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
            self._file = None

    def _close_quietly(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # Closing flushes, which fails again where the disk is full; the file goes away in any case.
            try:
                file.close()
            except OSError:
                return


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputFailure.of(error, path) from error
