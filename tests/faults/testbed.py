"""Three real daemons with a relay before each remote one, which are whole again after every fault."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

from eapg_split.domain.request import Request
from eapg_split.errors import EapgError
from eapg_split.rpc.job_client import JobOptions, describe, generate, list_jobs, outlook
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.settings import PeerAddress
from tests.faults.daemons import Daemon, Footprint
from tests.faults.http2 import Segments, Sight
from tests.faults.kinds import REMOTES, Phase, Target
from tests.faults.relay import Notice, Relay, open_relay

REQUEST: Final = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 3, 3))
OPTIONS: Final = JobOptions(policy="pyramid", suffix="")
JOB_S: Final = 120.0
STEPS: Final = sum(REQUEST.steps) + 2
_READY_S: Final = 60.0
_ANSWER_S: Final = 5.0
_SETTLE_S: Final = 60.0
_FILES: Final = 12  # connections and timers that a daemon may keep after a fault
_GROWTH_BYTES: Final = 64 << 20


class Testbed:
    """Made by `open_testbed`; runs one trial at a time."""

    __test__ = False  # not a test, whatever pytest thinks of its name

    def __init__(self, daemons: Mapping[Target, Daemon], relays: Mapping[Target, Relay]) -> None:
        self.daemons = daemons
        self.relays = relays
        self.whole: Mapping[Target, Segments] = {}

    @property
    def device(self) -> Daemon:
        return self.daemons[Target.DEVICE]

    async def run_job(self) -> list[JobEvent]:
        """The events of a job, to the last, also where its device comes back only. Raises the error that ended it."""
        job = generate(self.device.address, REQUEST, OPTIONS, reattach_s=_READY_S)
        async with asyncio.timeout(JOB_S), aclosing(job) as events:
            return [event async for event in events]

    async def learn(self) -> None:
        """Runs a job without faults, from which `whole` is known: what passes to and from each remote node."""
        self.whole = {target: Segments() for target in REMOTES}
        for target, segments in self.whole.items():
            self.relays[target].notice = _counting(segments)
        await self.run_job()
        for target, segments in self.whole.items():
            self.relays[target].notice = None
            assert segments.steps, f"{target} takes no part in the job"

    async def heal(self, lies: Mapping[Target, Phase] | None = None) -> None:
        """Takes every fault back, restarts who died, and waits until the device sees everybody.

        A node in `lies` is a rogue from now on, the others are honest.
        """
        lies = lies or {}
        for tier in self.daemons:
            await self.restore(tier, lies.get(tier))
        if not lies:
            await self._seen()

    async def restore(self, tier: Target, lie: Phase | None = None) -> None:
        """A whole link, and a daemon that answers and is honest, or the rogue that lies at that phase.

        A device that had no memory or no disk is started again, and goes on with what it could not end.
        """
        daemon = self.daemons[tier]
        if tier in self.relays:
            self.relays[tier].heal()
        is_beyond_help = daemon.limited and (daemon is self.device or not await _answers(daemon))
        if not daemon.alive or daemon.lie != lie or is_beyond_help:
            await daemon.stop()
            await daemon.start(lie)

    async def footprints(self) -> dict[Target, Footprint]:
        """What each daemon holds."""
        return {tier: await asyncio.to_thread(each.footprint) for tier, each in self.daemons.items()}

    async def left_behind(self, before: Mapping[Target, Footprint]) -> tuple[str, ...]:
        """What of a job is still there after a while: nothing, if all is well."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLE_S
        while True:
            left = tuple([each async for each in self._left(before)])
            if not left or loop.time() > until:
                return left
            await asyncio.sleep(0.05)

    async def _left(self, before: Mapping[Target, Footprint]) -> AsyncIterator[str]:
        if await list_jobs(self.device.address):
            yield "a job of the device"
        for tier, daemon in self.daemons.items():
            sessions = (await describe(PeerAddress(tier, daemon.address))).running_sessions
            if sessions:
                yield f"{sessions} sessions of {tier}"
            now, then = await asyncio.to_thread(daemon.footprint), before[tier]
            for name, value in (("children", now.children), ("temporary files", len(now.temporary))):
                if value:
                    yield f"{value} {name} of {tier}"
            if now.ports != 1:
                yield f"{now.ports} ports of {tier}"
            if now.pid == then.pid and now.files > then.files + _FILES:
                yield f"{now.files - then.files} open files of {tier}"
            if now.pid == then.pid and now.rss_bytes > then.rss_bytes + _GROWTH_BYTES:
                yield f"{(now.rss_bytes - then.rss_bytes) >> 20} MiB of {tier}"

    async def _seen(self) -> None:
        async with asyncio.timeout(_READY_S):
            while True:
                survey = await outlook(self.device.address, REQUEST, OPTIONS, steps=STEPS)
                if len(survey.topology.nodes) == len(self.daemons):
                    return
                await asyncio.sleep(0.1)


async def _answers(daemon: Daemon) -> bool:
    """What ran out of memory may hang for ever, as threads and sockets need some too."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            await describe(PeerAddress(daemon.tier, daemon.address))
    except (EapgError, TimeoutError):
        return False
    return True


def _counting(segments: Segments) -> Notice:
    async def notice(sight: Sight) -> None:
        segments.add(sight)

    return notice


@asynccontextmanager
async def open_testbed(*, seed: int = 0, hands_on: bool = False) -> AsyncIterator[Testbed]:
    """Daemons and relays for as long as the block lasts; they leave nothing.

    With `hands_on` the edge knows the cloud, and hands states on to it over the same link as the device.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eapg-split-faults-")))
        daemons: dict[Target, Daemon] = {}
        relays: dict[Target, Relay] = {}
        for tier in (Target.CLOUD, Target.EDGE):
            flags = _peers(relays) if hands_on else []
            daemons[tier] = await _started(stack, Daemon(tier, folder, flags))
            relays[tier] = await stack.enter_async_context(open_relay(daemons[tier].port, seed=seed))
        flags = ["--log-format", "json", *_peers(relays)]
        daemons[Target.DEVICE] = await _started(stack, Daemon(Target.DEVICE, folder, flags))
        testbed = Testbed(daemons, relays)
        await testbed.learn()
        yield testbed


def _peers(relays: Mapping[Target, Relay]) -> list[str]:
    return [flag for tier, relay in relays.items() for flag in ("--peer", f"{tier}=127.0.0.1:{relay.port}")]


async def _started(stack: AsyncExitStack, daemon: Daemon) -> Daemon:
    stack.push_async_callback(daemon.stop)
    await daemon.start()
    return daemon
