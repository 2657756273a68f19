"""How a daemon stops: the first signal lets it hand back what runs, the second one ends it at once.

A node that drains says so, takes nothing new, and hands the states of its segments back at their next step boundaries;
its own jobs go on. What is not over within the time is broken off.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc

from eapg_split.rpc.health import Health
from eapg_split.rpc.server import NodeService
from eapg_split.runtime.jobs.life import Jobs

_PARENT_POLL_S: Final = 0.5
_TELL_S: Final = 2.0  # for telling whoever is attached to a job that it is put off


class Signals:
    """The first signal asks to drain, the second to leave at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()

    def arrived(self) -> None:
        """SIGTERM or SIGINT came."""
        (self.second if self.first.is_set() else self.first).set()

    async def asked_to_stop(self, parent: int | None) -> None:
        """Returns at the first signal, or once the process that started this one, if it is given, is gone."""
        direct = os.getppid() == parent
        while not self.first.is_set():
            if parent is not None and ((direct and os.getppid() != parent) or not _alive(parent)):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.first.wait(), None if parent is None else _PARENT_POLL_S)


@asynccontextmanager
async def signals() -> AsyncIterator[Signals]:
    """The signals of this process, for as long as the block lasts."""
    found = Signals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(
            NotImplementedError
        ):  # no such handlers on Windows: there Ctrl-C just ends it
            loop.add_signal_handler(number, found.arrived)
    yield found


@dataclass(frozen=True)
class Draining:
    """What ends one after the other; `jobs` where the node is a device."""

    server: grpc.aio.Server
    nodes: NodeService
    health: Health
    jobs: Jobs | None = None


async def drain(what: Draining, signals: Signals, drain_s: float) -> None:
    """Returns when nothing runs any more, the time is over, or a second signal came: the server may be stopped."""
    draining = asyncio.create_task(_drain(what, drain_s))
    leaving = asyncio.create_task(signals.second.wait())
    await asyncio.wait((draining, leaving), return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, leaving):
        task.cancel()
    await asyncio.gather(draining, leaving, return_exceptions=True)


async def _drain(what: Draining, drain_s: float) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + drain_s
    await what.health.draining()
    jobs = asyncio.create_task(_end_jobs(what.jobs, drain_s))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until_s):
            await what.nodes.drain()
    what.nodes.stop_telling()
    await what.server.stop(max(0.0, until_s - loop.time()) + (0.0 if what.jobs is None else _TELL_S))
    await asyncio.shield(jobs)


async def _end_jobs(jobs: Jobs | None, drain_s: float) -> None:
    """Those of a device end, or are kept for its next start, and whoever is attached is told."""
    if jobs is not None:
        await jobs.stop(drain_s)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
