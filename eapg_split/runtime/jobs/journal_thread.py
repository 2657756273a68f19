"""The journal off the event loop: SQLite blocks, and a disk may take its time."""

from collections.abc import Callable
from typing import TypeVar

from eapg_split.runtime.jobs.journal import Journal
from eapg_split.runtime.serial_thread import SerialThread

T = TypeVar("T")


class JournalThread:
    """Calls on one journal, one after the other in a thread of its own."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._thread = SerialThread("journal")

    async def __call__(self, call: Callable[[Journal], T]) -> T:
        """The call's result. Raises OutputFailure where the disk does not take it."""
        return await self._thread.run(lambda: call(self._journal))

    async def close(self) -> None:
        """Returns when what was asked for is done."""
        await self._thread.run(lambda: None)
        self._thread.close()
