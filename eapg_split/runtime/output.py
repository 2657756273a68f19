"""The job's frames on their way out: hashed, written by the sink in its own thread, then sent as files."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import EapgError, OutputFailure
from eapg_split.runtime.events import FrameDone, JobEvent, OutputChunk, OutputFile
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.sink import OpenSink, VideoFormat, VideoSink

_CHUNK_BYTES = 512 * 1024
_T = TypeVar("_T")
_Emit = Callable[[JobEvent], Awaitable[None]]


class Output:
    """One job's sink and the digest of what went into it. Made by `open_output`."""

    def __init__(self, sink: VideoSink, thread: SerialThread) -> None:
        self._sink = sink
        self._thread = thread
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

    async def send(self, emit: _Emit) -> None:
        """The finished files, each declared before its bytes."""
        single = len(self._files) == 1
        for path in self._files:
            size = (await asyncio.to_thread(path.stat)).st_size
            await emit(OutputFile("" if single else path.name, size))
            with await asyncio.to_thread(path.open, "rb") as file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    await emit(OutputChunk(chunk))

    async def abort(self) -> None:
        """Ends the sink after the write that runs, if any."""
        await self._thread.run(self._sink.abort)

    async def _write(self, frame: NDArray[np.uint8]) -> None:
        await _reported(self._thread.run(lambda: self._write_now(frame)))

    def _write_now(self, frame: NDArray[np.uint8]) -> None:
        self._digest.update(np.ascontiguousarray(frame).data)
        self._sink.write(frame)
        self.frames += 1


@asynccontextmanager
async def open_output(open_sink: OpenSink, video: VideoFormat) -> AsyncIterator[Output]:
    """A sink in a folder of its own, both gone at the end. Raises InvalidRequest for an unknown suffix."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="eapg-split-output-"))
    thread = SerialThread("sink")
    try:
        output = Output(await _reported(thread.run(lambda: open_sink(folder, video))), thread)
        try:
            yield output
        finally:
            await asyncio.shield(output.abort())
    finally:
        thread.close()
        shutil.rmtree(folder, ignore_errors=True)


async def _reported(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except EapgError:
        raise
    except Exception as error:
        raise OutputFailure(
            f"The video could not be written ({error}): check the room and the rights in the temporary folder."
        ) from error
