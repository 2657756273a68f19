"""The daemons of an emulation: one process a node, started, killed and started again, and none of them left behind."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.emulation import paced
from eapg_split.emulation.jobs import warm_up
from eapg_split.emulation.network import Network
from eapg_split.errors import NodeUnavailable, OutputFailure
from eapg_split.runtime.profile_store import Machine, StoredProfile, save
from simulations.node_specs import NodeSpec
from simulations.world import Layout

PACED: Final = "paced"
READY_S: Final = 60.0  # several of them start at once, perhaps on one core
_TERMINATE_S: Final = 3.0
_AMPLE_BYTES: Final = 2**40  # of memory, where a scenario says nothing of it
_DRAIN_S: Final = 0.5


class Daemons:
    """All nodes of a layout on a network that has started. Belongs to one event loop; `close` it always."""

    def __init__(self, layout: Layout, network: Network, folder: Path, *, engine: str, seed: int) -> None:
        """`folder` takes their files; `engine` is "paced", or what `--engine` takes."""
        self._layout, self._network, self._folder = layout, network, folder
        self._engine, self._seed = engine, seed
        self._specs = {spec.id: spec for spec in layout.nodes}
        self._running: dict[NodeId, asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        """Starts all of them, and waits until they listen.

        Raises NodeUnavailable with a daemon's own words, and OutputFailure.
        """
        try:
            for spec in self._layout.nodes:
                await asyncio.to_thread(self._prepare, spec)
        except OSError as error:
            raise OutputFailure(
                f"{self._folder} takes no files ({error.strerror}): make room, or set TMPDIR to another folder."
            ) from error
        try:
            async with asyncio.timeout(READY_S), asyncio.TaskGroup() as starting:
                for node in self._specs:
                    starting.create_task(self.begin(node))
        except TimeoutError as error:
            raise NodeUnavailable(
                f"The daemons were not ready within {READY_S:.0f} s: try again when the machine has less to do."
            ) from error
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def warm_up(self) -> None:
        """Has every one of them compute a little, one after the other."""
        cold = {node for node, spec in self._specs.items() if spec.tier is not Tier.DEVICE}
        for spec in self._layout.nodes:
            if spec.tier is Tier.DEVICE:
                others = [node for node in reached(spec.id, self._layout, self._specs) if node in cold]
                cold.difference_update(others)
                await warm_up(spec.id, [self._specs[node] for node in others], self._network)

    async def begin(self, node: NodeId) -> None:
        """Starts a node's daemon, with what an earlier one has left on its disk; returns once it listens."""
        folder = self._folder / node
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._network.command(node, self._command(self._specs[node])),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=os.environ | {"XDG_STATE_HOME": str(folder / "state")},
                start_new_session=True,  # Ctrl-C is for this process, which ends them
            )
        self._running[node] = process
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            await process.wait()
            words = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            reason = (
                words[-1].removeprefix("error: ") if words else f"it ended with code {process.returncode}"
            )
            raise NodeUnavailable(f"The daemon of {node} did not start: {reason}")
        await self._network.listening(node, json.loads(line)["address"])

    async def kill(self, node: NodeId) -> None:
        """Ends a node's daemon at once, as a power cut would."""
        process = self._running.pop(node, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()

    async def close(self) -> None:
        """Ends all of them."""
        running, self._running = list(self._running.values()), {}
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TERMINATE_S):
                await asyncio.gather(*(process.wait() for process in running))
        for process in running:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def _prepare(self, spec: NodeSpec) -> None:
        folder = self._folder / spec.id
        folder.mkdir()
        paced.write_pace(spec, self._seed, folder)
        (folder / "daemon.toml").write_text(_settings(spec), encoding="utf-8")
        if self._engine == PACED:
            profile = Profile(spec.id, paced.KIND, paced.FINGERPRINT, _known(spec))
            save(StoredProfile(profile, Machine.here()), folder / "profile.json")

    def _command(self, spec: NodeSpec) -> Sequence[str]:
        folder, node = self._folder / spec.id, spec.id
        command = [sys.executable, "-m", f"{spec.tier}_node", "--node", node]
        command += ["--config", str(folder / "daemon.toml"), "--listen", self._network.listen(node)]
        command += ["--with-parent", str(os.getpid()), *self._network.flags(node)]
        command += [
            "--telemetry",
            f"file:{folder / paced.TELEMETRY}",
            "--profile",
            str(folder / "profile.json"),
        ]
        if self._engine == PACED:
            command += ["--engine", f"{paced.__name__}:open_engine", "--weights", str(folder)]
        else:
            command += ["--engine", self._engine]
        if spec.tier is Tier.DEVICE:
            command += ["--state", str(folder / "jobs")]
        for other in reached(spec.id, self._layout, self._specs):
            command += ["--peer", f"{other}={self._network.address(node, other)}"]
        return command


def _known(spec: NodeSpec) -> dict[str, StageCost]:
    """What the node's profile says. A scenario's warm node has all weights, and its daemon loads them in no time."""
    return {
        name: replace(cost, load_s=0.0 if spec.warm else cost.load_s) for name, cost in spec.stages.items()
    }


def reached(node: NodeId, layout: Layout, specs: Mapping[NodeId, NodeSpec]) -> Iterable[NodeId]:
    """The other nodes that it may hand work to: those with ways there and back, and no devices."""
    for source, target in layout.ways:
        if source == node and (target, source) in layout.ways and specs[target].tier is not Tier.DEVICE:
            yield target


def _settings(spec: NodeSpec) -> str:
    """What has no flag: limits, the price, and how the node is connected."""
    lines = [f"drain_s = {_DRAIN_S}", f"price_per_s = {float(spec.price_per_s)}"]
    lines += ["[limits]", f"sessions = {spec.slots}", f"memory_bytes = {spec.memory_bytes or _AMPLE_BYTES}"]
    if spec.technology is not None:
        lines += ["[network]", f'technology = "{spec.technology}"']
    return "\n".join(lines) + "\n"
