"""Nodes for tests: workers over the toy engine, in this process, alone or behind a real gRPC server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import numpy as np

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import DEFAULT_FIDELITY, latent_of
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.rpc import methods
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.server import NodeService
from eapg_split.rpc.status import ErrorTranslator
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.events import SegmentEvent
from eapg_split.runtime.handoff import Coded, Encoding, Outgoing, SameAsInput
from eapg_split.runtime.kept import SegmentResult
from eapg_split.runtime.peer import Emit, SegmentDone, SegmentOrder
from eapg_split.runtime.settings import Limits, PeerAddress
from eapg_split.runtime.worker import Worker
from eapg_split.runtime.worker_setup import WorkerSetup
from tests.toy_engine import open_engine

SMALL = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2))
STEPS = 10  # of SMALL: text, 4 x 2, decode
FINGERPRINT = open_engine("toy").fingerprint


def toy_worker(
    name: str,
    tier: Tier,
    *,
    limits: Limits | None = None,
    engine: Callable[[], Engine] = lambda: open_engine("toy"),
) -> Worker:
    return Worker(WorkerSetup(NodeId(name), tier, lambda: "0", CODECS, engine, limits or Limits()))


@asynccontextmanager
async def served(worker: Worker) -> AsyncIterator[str]:
    """The worker behind a gRPC server on loopback; yields its address."""
    server = grpc.aio.server(interceptors=(ErrorTranslator(),), options=methods.SERVER_OPTIONS)
    server.add_generic_rpc_handlers((NodeService(worker).handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def grpc_peer(worker: Worker) -> AsyncIterator[GrpcPeer]:
    async with served(worker) as address:
        peer = GrpcPeer(PeerAddress(worker.setup.node, address))
        try:
            yield peer
        finally:
            await peer.close()


def order(start_step: int, stop_step: int, *, attempt: int = 1, session: str = "s1") -> SegmentOrder:
    request = SMALL if start_step == 0 else SMALL.without_prompt()
    return SegmentOrder(session, request, start_step, stop_step, FINGERPRINT, attempt)


def undivided(step: int, request: Request = SMALL) -> Latent:
    """The state after the steps before `step`, computed in one go."""
    engine = open_engine("toy")
    workload = engine.unroll(request)
    state = Latent()
    for each in range(step):
        state = engine.run_step(workload, each, state)
    return state


def undivided_sha(request: Request) -> str:
    """Of the frames that the toy engine makes in one go, in this process, without any daemon."""
    engine = open_engine("toy")
    workload = engine.unroll(request)
    digest = hashlib.sha256()
    for frame in engine.decode(workload, undivided(workload.steps - 1, request)):
        digest.update(frame.tobytes())
    return digest.hexdigest()


def coded(state: Latent, codec: str = "lossless") -> Outgoing:
    """The state on its way, every tensor in parts."""
    tensors = state.spec.tensors
    encodings = [
        Encoding.of(CODECS[codec], tensor.name, state[tensor.name], DEFAULT_FIDELITY) for tensor in tensors
    ]
    return Outgoing([Coded(tensor, codec) for tensor in tensors], encodings)


def state_of(done: SegmentDone, sent: Latent) -> Latent:
    """The result of a segment that began with `sent`, decoded anew from what came."""
    tensors = {}
    for item in done.declaration.items:
        name = item.tensor.name
        if isinstance(item, Coded):
            payload = done.received.encodings[name].payload
            (tensors[name],) = latent_of(CODECS[item.codec], payload).values()
            assert np.array_equal(tensors[name], done.received.arrays[name])
        else:
            assert isinstance(item, SameAsInput)
            tensors[name] = sent[item.input]
    return Latent(tensors)


async def served_by(worker: Worker, order: SegmentOrder, state: Outgoing, emit: Emit) -> SegmentResult:
    """The segment as a worker computes it for somebody else, without a wire."""
    reception = await worker.serving.receive(order, state.declaration, resume=order.attempt > 1)
    async for ready in state.parts(reception.taken):
        await reception.add(ready.part)
    return await worker.serving.serve(order, reception, emit)


async def ignore(event: SegmentEvent) -> None:
    del event


async def until(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    """Waits for something that another process or thread does."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.005)
