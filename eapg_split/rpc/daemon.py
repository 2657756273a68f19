"""One node's process: bind, say that it is ready, serve, drain on the first signal and leave on the second."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc

from eapg_split.codecs import CODECS
from eapg_split.errors import EapgError
from eapg_split.rpc import methods
from eapg_split.rpc.access import Access
from eapg_split.rpc.authorisation import Authoriser
from eapg_split.rpc.binding import announce, bind
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.device import open_jobs
from eapg_split.rpc.drain import Draining, drain, signals
from eapg_split.rpc.health import Health
from eapg_split.rpc.security import check_clear_text
from eapg_split.rpc.server import NodeService
from eapg_split.rpc.status import ErrorTranslator
from eapg_split.rpc.v1 import job_pb2, node_pb2  # noqa: F401  # reflection finds what is imported
from eapg_split.runtime.allocator import keep_freed_memory
from eapg_split.runtime.engine import OpenEngine, engine_opener
from eapg_split.runtime.instruments import Instruments, Observing
from eapg_split.runtime.jobs.life import Jobs
from eapg_split.runtime.neighbours import Neighbours
from eapg_split.runtime.own_profile import ProfileHome
from eapg_split.runtime.profile_store import read as read_profile
from eapg_split.runtime.settings import DaemonSettings, PeerAddress
from eapg_split.runtime.sink import OpenSink
from eapg_split.runtime.telemetry.choice import telemetry_opener
from eapg_split.runtime.threads import started_executor
from eapg_split.runtime.worker import Worker
from eapg_split.runtime.worker_setup import WorkerSetup

_log = logging.getLogger(__name__)
_THREADS = min(32, (os.cpu_count() or 1) + 4)  # for what blocks shortly, as many as Python itself would start
_MOST_CALLS = 1024  # at once, of all kinds: each kind has its own bounds below that


def run_daemon(
    settings: DaemonSettings,
    *,
    open_engine: OpenEngine,
    observe: Callable[[DaemonSettings], Observing],
    open_sink: OpenSink | None = None,
) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit code. With `open_sink` it accepts jobs too.

    Raises InvalidRequest for an address that cannot be used, before anything is served.
    """
    observing = observe(settings)
    if settings.profile is not None and settings.profile.exists():
        read_profile(settings.profile)  # says at once what is wrong with it
    keep_freed_memory()
    worker = Worker(_setup(settings, open_engine, observing.instruments))
    try:
        asyncio.run(_serve(settings, worker, open_sink, observing))
    finally:
        worker.thread.close()
        worker.profile.save()
        worker.senses.close()
    if worker.thread.busy or worker.senses.busy:
        # a step that nobody waits for must not hold the process: everything else is closed by now
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _setup(settings: DaemonSettings, open_engine: OpenEngine, instruments: Instruments) -> WorkerSetup:
    opener = engine_opener(settings.engine, open_engine)
    return WorkerSetup(
        node=settings.node,
        tier=settings.tier,
        version=_own_version,
        codecs=CODECS,
        open_engine=lambda: opener(settings.engine, threads=settings.threads, weights=settings.weights),
        limits=settings.limits,
        price_per_s=settings.price_per_s,
        open_telemetry=telemetry_opener(settings.telemetry),
        network=settings.network,
        profile_home=ProfileHome(settings.profile, settings.threads),
        instruments=instruments,
    )


def _own_version() -> str:
    from importlib import metadata  # a twentieth of a daemon's start, and only Describe asks

    try:
        return metadata.version("eapg-split")
    except metadata.PackageNotFoundError:
        return "unknown"


async def _serve(
    settings: DaemonSettings, worker: Worker, open_sink: OpenSink | None, observing: Observing
) -> None:
    asyncio.get_running_loop().set_default_executor(started_executor("worker", _THREADS))
    authoriser = Authoriser(settings)
    access = Access.of(settings)
    access.token()  # says at once what is wrong with it
    async with AsyncExitStack() as until_the_end:
        metrics = await until_the_end.enter_async_context(
            observing.serving(worker.telemetry, lambda: worker.places.waiting)
        )
        peers = await until_the_end.enter_async_context(_peers(settings, access))
        stop = await until_the_end.enter_async_context(signals())
        server = grpc.aio.server(
            interceptors=(ErrorTranslator(worker.setup.instruments), authoriser),
            options=methods.SERVER_OPTIONS,
            maximum_concurrent_rpcs=_MOST_CALLS,
        )
        services = [methods.NODE_SERVICE]
        nodes = NodeService(worker)
        handlers = [nodes.handler()]
        jobs: Jobs | None = None
        if open_sink is None:
            worker.neighbours = Neighbours(peers)
        else:
            jobs, job_service = await until_the_end.enter_async_context(
                open_jobs(settings, worker, peers, open_sink, lambda peer: _open_peer(peer, access))
            )
            services.append(methods.JOB_SERVICE)
            handlers.append(job_service.handler())
        server.add_generic_rpc_handlers(tuple(handlers))
        health = Health(services)
        await health.add_to(server)
        try:
            address = bind(server, settings)
            await server.start()
            announce(settings, address, metrics)
            warming = asyncio.create_task(_warm(worker, health))
            await stop.asked_to_stop(settings.parent)
            warming.cancel()
            drain_s = settings.drain_s if stop.first.is_set() else 0.0  # nobody is left to wait for
            await drain(Draining(server, nodes, health, jobs), stop, drain_s)
        finally:
            await server.stop(0)


async def _warm(worker: Worker, health: Health) -> None:
    """Opens the engine and reads the profile before anybody asks, so that the first job need not wait for them."""
    try:
        await worker.describe()
    except EapgError as error:  # whoever calls is told the same
        _log.error("not serving: %s", error)
    else:
        await health.ready()


@asynccontextmanager
async def _peers(settings: DaemonSettings, access: Access) -> AsyncIterator[list[GrpcPeer]]:
    peers = [_open_peer(peer, access) for peer in settings.peers]
    try:
        yield peers
    finally:
        for each in peers:
            await each.close()


def _open_peer(peer: PeerAddress, access: Access) -> GrpcPeer:
    """Raises InvalidRequest for clear text beyond loopback, before anything is said."""
    if not peer.address.startswith("@"):
        check_clear_text(peer.address, access.tls, insecure=access.insecure)
    return GrpcPeer(peer, access)
