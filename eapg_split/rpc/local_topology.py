"""Three daemons on this machine's loopback for as long as a block lasts: a job needs no set-up and leaves nothing."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eapg_split.domain.topology import Tier
from eapg_split.errors import NodeUnavailable
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.local_credentials import Protection, local_credentials

# The device comes last: it dials the other two, whose addresses it reads from their ready files. The edge hands on
# to the cloud.
_TIERS = (Tier.EDGE, Tier.CLOUD, Tier.DEVICE)
_DIALS = {Tier.EDGE: (Tier.CLOUD,), Tier.CLOUD: (), Tier.DEVICE: (Tier.EDGE, Tier.CLOUD)}
_TERMINATE_S = 2.0


@dataclass(frozen=True)
class RunningNode:
    """What a daemon's ready line says."""

    node: str
    tier: str
    address: str
    pid: int
    metrics: str = ""  # where it shows them


@dataclass(frozen=True)
class LocalTopology:
    """The running daemons by node id; `logs` has one file per node with what it wrote to stderr."""

    nodes: Mapping[str, RunningNode]
    logs: Path
    access: Access = LOOPBACK  # how a client speaks to them

    @property
    def device_address(self) -> str:
        """Where `job_client.generate` connects to."""
        return self.nodes[Tier.DEVICE].address


@asynccontextmanager
async def local_topology(
    *,
    engine: str = "onnx",
    threads: int = 0,
    weights: Path | None = None,
    ready_s: float = 30.0,
    device_options: Sequence[str] = (),
    other_options: Sequence[str] = (),
    protection: Protection = Protection.NONE,
) -> AsyncIterator[LocalTopology]:
    """Starts the device, edge and cloud daemons and stops them at the end of the block.

    `device_options` are further flags of the device, for instance `--telemetry`, `other_options` of the other two.
    With a `protection` they let in only who speaks to them by `LocalTopology.access`.

    They stop by themselves too when this process dies. Raises NodeUnavailable, with the daemon's own words, when one
    is not ready within `ready_s` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="eapg-split-") as name:
        folder = Path(name)
        options = ["--engine", engine, "--threads", str(threads), "--with-parent", str(os.getpid())]
        if weights is not None:
            options += ["--weights", str(weights)]
        credentials = local_credentials(folder / "certs", protection)
        processes: dict[Tier, asyncio.subprocess.Process] = {}
        try:
            for tier in _TIERS:
                own = device_options if tier is Tier.DEVICE else other_options
                if tier is Tier.DEVICE:
                    own = ("--state", str(folder / "state"), *own)
                processes[tier] = await _spawn(tier, folder, [*options, *credentials.flags[tier], *own])
            yield LocalTopology(await _all_ready(processes, folder, ready_s), folder, credentials.access)
        finally:
            await asyncio.gather(*(_stop(process) for process in processes.values()))


async def _all_ready(
    processes: Mapping[Tier, asyncio.subprocess.Process], folder: Path, ready_s: float
) -> dict[str, RunningNode]:
    waiting = asyncio.gather(*(_ready(tier, process, folder) for tier, process in processes.items()))
    try:
        return {node.tier: node for node in await asyncio.wait_for(waiting, ready_s)}
    except TimeoutError as error:
        raise NodeUnavailable(
            f"The local daemons were not ready within {ready_s:g} s: try again when the machine has less to do."
        ) from error


async def _spawn(tier: Tier, folder: Path, options: Sequence[str]) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", f"{tier}_node", "--node", tier, "--listen", "127.0.0.1:0", *options]
    command += ["--ready-file", str(folder / f"{tier}.json")]
    for other in _DIALS[tier]:
        command += ["--peer", f"{other}=@{folder / f'{other}.json'}"]
    with (folder / f"{tier}.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for this process; it cancels the job, then stops the daemons
        )


async def _ready(tier: Tier, process: asyncio.subprocess.Process, folder: Path) -> RunningNode:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        await process.wait()
        words = (folder / f"{tier}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = (
            words[-1].removeprefix("error: ") if words else f"it ended with exit code {process.returncode}"
        )
        raise NodeUnavailable(f"The local {tier} daemon did not start: {reason}")
    return RunningNode(**json.loads(line))


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _TERMINATE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
