"""One emulation from its setup to what became of its jobs: real daemons, links of given rates, real time."""

import asyncio
import heapq
import json
import math
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from eapg_split.domain.topology import NodeId, Tier
from eapg_split.emulation import paced
from eapg_split.emulation.clock import Clock
from eapg_split.emulation.daemons import PACED, Daemons
from eapg_split.emulation.jobs import run_job
from eapg_split.emulation.network import Network
from eapg_split.emulation.networks import NetworkKind, open_network
from eapg_split.emulation.rates import RatePlayer
from simulations.outcomes import Outcome
from simulations.simulation import Run, Setup, arm_faults, job_sources
from simulations.world import Demand

MAX_JOBS: Final = 10_000
_LOOK_S: Final = 1.0  # between two looks at what has come to run meanwhile


@dataclass(frozen=True)
class Progress:
    """How far an emulation is."""

    now_s: float
    came: int
    ended: int


async def emulate(
    setup: Setup,
    policy: str,
    *,
    seed: int,
    until_s: float,
    jobs: int | None = None,
    network: NetworkKind = NetworkKind.USER,
    engine: str = PACED,
    notify: Callable[[Progress], None] = lambda progress: None,
) -> Run:
    """Runs a setup that is `emulatable` in real time, until its jobs have ended or until a moment.

    Whatever ends it, the daemons, the network and all files are gone then. Raises what the network and the daemons
    raise when they start.
    """
    async with AsyncExitStack() as until_the_end:
        folder = until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="eapg-split-emulate-"))
        opened = await open_network(network, setup.layout, Path(folder))
        until_the_end.push_async_callback(opened.close)
        daemons = Daemons(setup.layout, opened, Path(folder), engine=engine, seed=seed)
        until_the_end.push_async_callback(daemons.close)
        await daemons.start()
        devices = [spec.id for spec in setup.layout.nodes if spec.tier is Tier.DEVICE]
        await daemons.warm_up()
        running = _Running(setup, policy, opened, daemons, notify)
        outcomes = await running.until_done(seed, until_s, jobs)
        charge = {device: _charge(Path(folder) / device) for device in devices}
        return Run(outcomes, charge, running.clock.now_s, 0)


class _Running:
    """What goes on between the start of the daemons and their end."""

    def __init__(
        self,
        setup: Setup,
        policy: str,
        network: Network,
        daemons: Daemons,
        notify: Callable[[Progress], None],
    ) -> None:
        self._setup, self._policy, self._network, self._daemons = setup, policy, network, daemons
        self._notify = notify
        self.kernel = self.clock = Clock()
        self._player = RatePlayer(self.clock, network, setup.layout.media)
        self._outcomes: list[Outcome] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming, self._ended = True, 0
        self._turns = {spec.id: asyncio.Lock() for spec in setup.layout.nodes}

    async def until_done(self, seed: int, until_s: float, jobs: int | None) -> tuple[Outcome, ...]:
        """Lets jobs come and things go wrong."""
        arm_faults(self, self._setup, seed)
        self._tasks = {
            asyncio.create_task(self._player.run()),
            asyncio.create_task(self._arrivals(seed, until_s, jobs)),
        }
        try:
            async with asyncio.timeout(None if until_s == math.inf else until_s - self.clock.now_s):
                while self._coming or self._ended < len(self._outcomes):
                    done, _ = await asyncio.wait(
                        self._tasks, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
                    )
                    self._tasks -= done
                    for task in done:
                        task.result()
        except TimeoutError:
            pass  # what still runs then stays open
        finally:
            self.clock.stop()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return tuple(self._outcomes)

    async def _arrivals(self, seed: int, until_s: float, jobs: int | None) -> None:
        most = MAX_JOBS if jobs is None else min(jobs, MAX_JOBS)
        for when_s, device, demand in islice(arrivals(self._setup, seed), most):
            if when_s >= until_s:
                break
            await asyncio.sleep(max(0.0, when_s - self.clock.now_s))
            outcome = Outcome(len(self._outcomes), demand.name, self._policy, device, self.clock.now_s)
            self._outcomes.append(outcome)
            self._tasks.add(asyncio.create_task(self._job(outcome, demand)))
            self._tell()
        self._coming = False

    async def _job(self, outcome: Outcome, demand: Demand) -> None:
        await run_job(outcome, demand, self._policy, self._setup.layout, (self._network, self.clock))
        self._ended += 1
        self._tell()

    def _tell(self) -> None:
        self._notify(Progress(self.clock.now_s, len(self._outcomes), self._ended))

    # faults

    def down(self, name: NodeId) -> None:
        """A node dies."""
        self._tasks.add(asyncio.create_task(self._in_turn(name, self._daemons.kill)))

    def up(self, name: NodeId) -> None:
        """A node is started again."""
        self._tasks.add(asyncio.create_task(self._in_turn(name, self._daemons.begin)))

    async def _in_turn(self, name: NodeId, act: Callable[[NodeId], Awaitable[None]]) -> None:
        async with self._turns[name]:
            await act(name)

    def throttle(self, medium: str, factor: float) -> None:
        """A medium carries so many times what it would."""
        self._player.throttle(medium, factor)


def arrivals(setup: Setup, seed: int) -> Iterator[tuple[float, NodeId, Demand]]:
    """When jobs come, from which device, and of which kind: as the simulator draws them, in their order."""

    def of(
        device: NodeId, demand: Demand, moments_s: Iterator[float]
    ) -> Iterator[tuple[float, NodeId, Demand]]:
        return ((when_s, device, demand) for when_s in moments_s)

    return heapq.merge(*(of(*each) for each in job_sources(setup, seed)), key=lambda arrival: arrival[0])


def _charge(folder: Path) -> float:
    """What the device said last of its battery; 1 on mains."""
    row = json.loads((folder / paced.TELEMETRY).read_text(encoding="utf-8"))
    return float(row.get("charge", 1.0))
