"""A relay in a process of its own, where nothing else takes the interpreter's time: JSON lines in, JSON lines out."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

from eapg_split.errors import NodeUnavailable

_ANSWER_S: Final = 20.0
_LINE_BYTES: Final = 2**20
_ORPHANED_S: Final = 8.0  # until the daemons have seen that their parent is gone, and have ended
_AGAIN_S: Final = 0.25


class RelayProcess:
    """A module that answers each line with one. It ends when its stdin does, so also when this process is killed.

    `folder` has the files of the run. They go with this process; where it was killed, the relay takes them away with
    `remove_left`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()

    @property
    def pid(self) -> int:
        """Of the process, once it has been started."""
        assert self._process is not None
        return self._process.pid

    async def start(self, module: str) -> None:
        """Starts it; it says nothing before it is asked."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(self._folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for whoever started it
            limit=_LINE_BYTES,
        )

    async def ask(self, what: object) -> Any:  # whatever JSON says
        """What it answers. Raises NodeUnavailable where it has ended or hangs."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise NodeUnavailable("The relay of the emulation does not run: start it again.")
        async with self._asking:
            line = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                process.stdin.write(json.dumps(what).encode() + b"\n")
                line = await asyncio.wait_for(process.stdout.readline(), _ANSWER_S)
        if not line:
            raise NodeUnavailable("The relay of the emulation has ended or hangs: start the emulation again.")
        return json.loads(line)

    async def close(self) -> None:
        """Ends it; may be called twice, and before `start`."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def remove_left() -> None:
    """In a relay whose stdin has ended: removes the run's folder, into which daemons may write for a moment still.

    Where nobody was killed, the folder is gone by now, or this process.
    """
    folder = Path(sys.argv[1])
    os.closerange(0, 3)  # who waits for the end of what is printed shall not wait for this
    until = time.monotonic() + (_ORPHANED_S if folder.exists() else 0.0)
    while time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_AGAIN_S)
