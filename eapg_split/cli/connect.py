"""How the command line reaches a device: three daemons of its own, or those that `--nodes` lists."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eapg_split.config import read_nodes_file
from eapg_split.domain.request import Request
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.settings import TlsFiles
from eapg_split.video import suffix_of


@dataclass(frozen=True)
class GenerateOptions:
    """What the flags of `generate` say."""

    request: Request
    output: str
    policy: str
    codec: str
    engine: str
    threads: int
    weights: Path | None
    nodes: Path | None
    preview: Path | None
    deadline_s: float
    as_json: bool


@asynccontextmanager
async def open_events(options: GenerateOptions) -> AsyncIterator[AsyncIterator[JobEvent]]:
    """The job's events; leaving the block cancels what still runs and stops the daemons that were started."""
    from eapg_split.rpc import job_client

    async with _device(options) as (address, tls):
        job = job_client.JobOptions(
            request=options.request,
            policy=options.policy,
            codec=options.codec,
            previews=options.preview is not None,
            suffix=suffix_of(options.output),
            deadline_s=options.deadline_s,
        )
        async with aclosing(job_client.generate(address, job, tls=tls)) as events:
            yield events


@asynccontextmanager
async def _device(options: GenerateOptions) -> AsyncIterator[tuple[str, TlsFiles | None]]:
    if options.nodes is not None:
        from eapg_split.rpc import job_client

        listed = read_nodes_file(options.nodes)
        yield await job_client.find_device(listed.nodes, tls=listed.tls), listed.tls
        return
    from eapg_split.rpc.local_topology import local_topology

    async with local_topology(
        engine=options.engine, threads=options.threads, weights=options.weights
    ) as topology:
        yield topology.device_address, None
