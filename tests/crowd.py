"""Many clients of one cloud daemon at once: what becomes of each of them, and what is left behind."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psutil

from eapg_split.errors import CapacityExceeded
from eapg_split.rpc.access import Access
from eapg_split.rpc.callers import Role
from eapg_split.rpc.certificates import Authority, Identity
from eapg_split.rpc.client import GrpcPeer
from eapg_split.runtime.events import Accepted, SegmentEvent
from eapg_split.runtime.settings import PeerAddress
from tests.daemons import FAST, daemon
from tests.nodes import coded, order, state_of, undivided

CLIENTS: Final = ("greedy", "small")
_START, _STOP = 5, 9
_STATE: Final = undivided(_START)
_AFTER: Final = undivided(_STOP)
_numbers = itertools.count()


@dataclass(frozen=True)
class Crowded:
    """A daemon that keeps next to nothing of its sessions, and two clients of it, each with its own certificate."""

    process: psutil.Process
    clients: dict[str, GrpcPeer]

    async def busy(self) -> int:
        """Segments that run there."""
        return (await self.clients["small"].describe()).running_sessions

    async def peak_bytes(self) -> int:
        """The most memory that it ever had."""
        return (await self.clients["small"].describe()).peak_rss_bytes

    def footprint(self) -> tuple[int, int]:
        """Resident bytes, and open files and sockets."""
        return self.process.memory_info().rss, self.process.num_fds()


@dataclass
class Tally:
    """What became of a number of sessions."""

    finished: int = 0
    wrong: int = 0
    refused: int = 0  # times
    left_in_the_dark: int = 0  # refusals that did not say when to come again
    waits_s: list[float] = field(default_factory=list)  # until the state was there, of those that finished
    seconds: float = 0.0  # of them all


@asynccontextmanager
async def crowded(folder: Path, *, engine: str = FAST) -> AsyncIterator[Crowded]:
    """The daemon, for as long as the block lasts."""
    authority, ends = Authority.create(folder, days=2), datetime.now(UTC) + timedelta(days=1)
    cloud = authority.issue(folder, Identity("cloud", Role.CLOUD), ends=ends)
    config = folder / "cloud.toml"
    config.write_text("[limits]\nkept_result_bytes = 1\nheld_state_bytes = 1\n", encoding="utf-8")
    flags = ["--config", str(config), "--tls-ca", str(cloud.ca)]
    flags += ["--tls-cert", str(cloud.cert), "--tls-key", str(cloud.key)]
    async with AsyncExitStack() as stack:
        process, address = await stack.enter_async_context(daemon(*flags, tier="cloud", engine=engine))
        clients = {}
        for name in CLIENTS:
            files = authority.issue(folder, Identity(name, Role.DEVICE), ends=ends)
            clients[name] = GrpcPeer(PeerAddress("cloud", address), Access(files))
            stack.push_async_callback(clients[name].close)
        yield Crowded(psutil.Process(process.pid), clients)


async def storm(peer: GrpcPeer, sessions: int, *, patient: bool) -> Tally:
    """So many sessions at once; the patient ones come again when they were told to, until all are done."""
    tally, began = Tally(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(session(peer, tally, patient=patient))
    tally.seconds = time.monotonic() - began
    return tally


async def session(peer: GrpcPeer, tally: Tally, *, patient: bool) -> None:
    """One segment, as often as the node asks to come again. Every other error than that passes."""
    name, began = f"s{next(_numbers)}", time.monotonic()
    wait_s = 0.0

    async def note(event: SegmentEvent) -> None:
        nonlocal wait_s
        if isinstance(event, Accepted):
            wait_s = time.monotonic() - began

    while True:
        try:
            done = await peer.run(order(_START, _STOP, session=name), coded(_STATE), note)
        except CapacityExceeded as error:
            tally.refused += 1
            tally.left_in_the_dark += error.retry_after_s is None
            if not patient:
                return
            await asyncio.sleep(error.retry_after_s or 1.0)
            continue
        tally.finished += 1
        tally.wrong += state_of(done, _STATE) != _AFTER
        tally.waits_s.append(wait_s)
        return
