"""How the command line reaches a device: three daemons of its own, or those that `--nodes` lists."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eapg_split.cli.access import access_of
from eapg_split.cli.run_log import LogOptions
from eapg_split.config import read_nodes_file
from eapg_split.domain.request import Request
from eapg_split.domain.topology import Tier
from eapg_split.errors import AccessDenied, EapgError, InvalidRequest, NodeUnavailable, Unauthenticated
from eapg_split.planner import absolute
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.policy import Objective
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.job_client import JobOptions, describe, generate
from eapg_split.rpc.local_credentials import Protection
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.settings import PeerAddress
from eapg_split.video import suffix_of

REATTACH_S: Final = 60.0  # how long a device that went away is waited for


@dataclass(frozen=True)
class GenerateOptions:
    """What the flags of `generate` say."""

    request: Request
    output: str
    policy: str
    codec: str
    quality_db: float
    engine: str
    threads: int
    weights: Path | None
    nodes: Path | None
    preview: Path | None
    log: LogOptions | None
    deadline_s: float
    wishes: Objective
    checkpoints: Checkpoints
    as_json: bool
    detach: bool = False


@dataclass(frozen=True)
class Device:
    """Where the job goes, how it is spoken to, and which nodes it is to use (none: those it knows)."""

    address: str
    access: Access = LOOPBACK
    peers: tuple[PeerAddress, ...] = ()


@asynccontextmanager
async def open_events(options: GenerateOptions) -> AsyncIterator[AsyncIterator[JobEvent]]:
    """The job's events; leaving the block cancels what still runs and stops the daemons that were started."""
    where = open_device(
        options.nodes, engine=options.engine, threads=options.threads, weights=options.weights
    )
    async with where as device:
        job = job_options(options, device)
        heard = generate(
            device.address,
            options.request,
            job,
            access=device.access,
            reattach_s=0.0 if options.nodes is None else REATTACH_S,  # daemons of our own end with us
        )
        async with aclosing(heard) as events:
            yield events


def job_options(options: GenerateOptions, device: Device) -> JobOptions:
    """What the flags ask of that device."""
    return JobOptions(
        policy=absolute(options.policy),  # the daemon may stand in another folder
        codec=options.codec,
        quality_db=options.quality_db,
        previews=options.preview is not None or options.log is not None,
        observations=options.log is not None,
        suffix=suffix_of(options.output),
        deadline_s=options.deadline_s,
        wishes=options.wishes,
        checkpoints=options.checkpoints,
        peers=device.peers,
    )


@asynccontextmanager
async def open_device(
    nodes: Path | None, *, engine: str, threads: int, weights: Path | None
) -> AsyncIterator[Device]:
    """The device that a file of nodes lists, or one of three daemons that run as long as the block lasts."""
    if nodes is not None:
        yield await listed_device(nodes)
        return
    started = local_topology(engine=engine, threads=threads, weights=weights, protection=Protection.TOKENS)
    async with started as topology:
        yield Device(topology.device_address, topology.access)


async def listed_device(path: Path) -> Device:
    """The one node of the device tier among those that the file lists, with the others as its peers."""
    listed = read_nodes_file(path)
    access = access_of(listed)
    answers = await asyncio.gather(
        *(describe(node, access=access) for node in listed.nodes), return_exceptions=True
    )
    device: PeerAddress | None = None
    silent: EapgError | None = None
    for node, answer in zip(listed.nodes, answers, strict=True):
        if isinstance(answer, NodeUnavailable | AccessDenied | Unauthenticated):
            silent = silent or answer
        elif isinstance(answer, BaseException):
            raise answer
        elif answer.node.tier is Tier.DEVICE:
            if device is not None:
                raise InvalidRequest(f"{path} lists two devices, {device.name} and {node.name}: keep one.")
            device = node
    if device is None:
        if silent is not None:
            raise silent
        raise InvalidRequest(f"{path} lists no device: add the node that was started as device_node.")
    return Device(device.address, access, tuple(node for node in listed.nodes if node is not device))
