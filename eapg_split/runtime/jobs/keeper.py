"""Writes a job's checkpoints beside its computing: the newest one always, older ones only where there is time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from eapg_split.runtime.checkpoint import Checkpoint

_log = logging.getLogger(__name__)
_SHARE: Final = 0.5  # of the time may go into writing, so that a slow disk is not all that a job does


class Keeper:
    """One per job that runs. `write` returns when a checkpoint is on the disk."""

    def __init__(self, write: Callable[[Checkpoint], Awaitable[None]]) -> None:
        self._write = write
        self._newest: Checkpoint | None = None
        self._step = 0  # of the newest one that was ever given
        self._hurry = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def keep(self, checkpoint: Checkpoint) -> None:
        """Has it written soon, unless a newer one comes before; nothing waits for it."""
        if checkpoint.step <= self._step:
            return
        self._newest, self._step = checkpoint, checkpoint.step
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())

    async def flush(self) -> None:
        """Returns when the newest one is written."""
        self._hurry.set()
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Ends what runs; nothing is written afterwards."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._newest is not None:
            checkpoint, self._newest, began = self._newest, None, loop.time()
            try:
                await self._write(checkpoint)
            except Exception as error:  # the job goes on: only a restart would begin earlier
                _log.warning("the checkpoint before step %d is not kept: %s", checkpoint.step, error)
            pause = (loop.time() - began) * (1 / _SHARE - 1)
            try:
                async with asyncio.timeout(pause):
                    await self._hurry.wait()
            except TimeoutError:
                continue
