"""The job's frames on their way out: hashed, written by the sink in its own thread, kept as whole files."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import EapgError, OutputFailure, SessionNotFound
from eapg_split.runtime.events import FrameDone, JobEvent, OutputChunk, OutputFile
from eapg_split.runtime.jobs.checkpoint_file import sync_folder
from eapg_split.runtime.jobs.home import JobFolder
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.sink import OpenSink, VideoFormat, VideoSink

_CHUNK_BYTES = 512 * 1024
_T = TypeVar("_T")
_Emit = Callable[[JobEvent], Awaitable[None]]


class Output:
    """One job's sink and the digest of what went into it. Made by `open_output`."""

    def __init__(self, sink: VideoSink, thread: SerialThread, folder: JobFolder) -> None:
        self._sink = sink
        self._thread = thread
        self._folder = folder
        self._digest = hashlib.sha256()
        self._files: Sequence[Path] = ()
        self.frames = 0

    @property
    def sha256(self) -> str:
        """Over the raw RGB frames so far, in order."""
        return self._digest.hexdigest()

    async def write(self, frames: AsyncIterator[NDArray[np.uint8]], total: int, emit: _Emit) -> None:
        """Takes all frames; one is encoded while the next is decoded. Raises OutputFailure."""
        writing: asyncio.Task[None] | None = None
        try:
            async for frame in frames:
                if writing is not None:
                    await writing
                writing = asyncio.create_task(self._write(frame))
                await emit(FrameDone(self.frames + 1, total))
            if writing is not None:
                await writing
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        self._files = await _reported(self._thread.run(self._sink.finish))

    async def keep(self) -> tuple[OutputFile, ...]:
        """The finished files, on the disk and in their folder, which exists from now on. Raises OutputFailure."""
        return await _reported(self._thread.run(self._keep_now))

    async def abort(self) -> None:
        """Ends the sink after the write that runs, if any."""
        await self._thread.run(self._sink.abort)

    async def _write(self, frame: NDArray[np.uint8]) -> None:
        await _reported(self._thread.run(lambda: self._write_now(frame)))

    def _write_now(self, frame: NDArray[np.uint8]) -> None:
        self._digest.update(np.ascontiguousarray(frame).data)
        self._sink.write(frame)
        self.frames += 1

    def _keep_now(self) -> tuple[OutputFile, ...]:
        files = tuple(_settled(path) for path in self._files)
        sync_folder(self._folder.part)
        self._folder.part.replace(self._folder.output)
        sync_folder(self._folder.path)
        return files


@asynccontextmanager
async def open_output(open_sink: OpenSink, video: VideoFormat, folder: JobFolder) -> AsyncIterator[Output]:
    """A sink in a part of the job's folder, which is gone at the end unless the output was kept.

    Raises InvalidRequest for an unknown suffix.
    """
    thread = SerialThread("sink")
    try:
        output = Output(await _reported(thread.run(lambda: _open(open_sink, video, folder))), thread, folder)
        try:
            yield output
        finally:
            await asyncio.shield(output.abort())
    finally:
        thread.close()
        shutil.rmtree(folder.part, ignore_errors=True)


async def read_output(folder: JobFolder, files: Sequence[OutputFile]) -> AsyncGenerator[JobEvent, None]:
    """The files that were kept, each declared before its bytes. Raises SessionNotFound where they are gone."""
    for file in files:
        yield OutputFile("" if len(files) == 1 else file.name, file.size_bytes, file.sha256)
        try:
            with await asyncio.to_thread((folder.output / file.name).open, "rb") as opened:
                while chunk := await asyncio.to_thread(opened.read, _CHUNK_BYTES):
                    yield OutputChunk(chunk)
        except FileNotFoundError as error:
            raise SessionNotFound("The job's output was forgotten meanwhile: generate it again.") from error


def _open(open_sink: OpenSink, video: VideoFormat, folder: JobFolder) -> VideoSink:
    folder.make()
    shutil.rmtree(folder.part, ignore_errors=True)
    folder.part.mkdir()
    return open_sink(folder.part, video)


def _settled(path: Path) -> OutputFile:
    """The file once it is on the disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return OutputFile(path.name, os.fstat(file.fileno()).st_size, digest)


async def _reported(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except EapgError:
        raise
    except Exception as error:
        raise OutputFailure(
            f"The video could not be written ({error}): check the room and the rights in the folder of jobs."
        ) from error
