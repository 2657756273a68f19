"""What a person's program calls: one job as a stream of typed events, and small questions to daemons."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc

from eapg_split.domain.request import Request
from eapg_split.errors import CorruptPayload
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.policy import Objective
from eapg_split.rpc import methods
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.channels import open_channel
from eapg_split.rpc.client import GrpcPeer, errors_of
from eapg_split.rpc.convert import request_to_proto
from eapg_split.rpc.convert_job import event_from_proto
from eapg_split.rpc.convert_outlook import survey_from_proto
from eapg_split.rpc.convert_wishes import wishes_to_proto
from eapg_split.rpc.v1 import job_pb2, outlook_pb2
from eapg_split.runtime.events import JobDone, JobEvent
from eapg_split.runtime.peer import NodeDescription
from eapg_split.runtime.settings import PeerAddress
from eapg_split.runtime.survey import Survey

_OUTLOOK_S: Final = 30.0  # a node that does not answer is waited for 10 s


@dataclass(frozen=True)
class JobOptions:
    """How to run a request. `suffix` is the ending of the wanted name (".mp4"), empty for a folder of PNG."""

    policy: str = "dp-adaptive"
    codec: str = "lossless"
    previews: bool = False
    checkpoints: Checkpoints = Checkpoints.AUTO  # that come home while other nodes compute
    suffix: str = ".mp4"
    deadline_s: float = 0.0  # 0 means none
    quality_db: float = 0.0  # PSNR against the lossless run where the codec is lossy; 0 means the default, 45
    wishes: Objective = field(default_factory=Objective)  # its privacy, codec and deadline stand elsewhere
    peers: tuple[PeerAddress, ...] = ()  # as the device reaches them; none: those it was started with


@dataclass(frozen=True)
class RunningJob:
    """A job that a device's daemon runs now."""

    session: str
    step: int
    total_steps: int
    elapsed_s: float


async def generate(
    address: str, request: Request, options: JobOptions, *, access: Access = LOOPBACK
) -> AsyncGenerator[JobEvent, None]:
    """Runs a job on the device's daemon at `address` and yields what happens; the last event is JobDone.

    Closing the iterator, or cancelling whoever reads it, cancels the job on every node. Raises the EapgError that
    ended the job, and CorruptPayload when the stream ends without JobDone: then nothing of the output is valid.
    `asyncio.CancelledError` comes as well when somebody else cancelled the job.
    """
    message = _request(request, options)
    async with _channel(address, access) as channel:
        call = channel.unary_stream(
            methods.GENERATE,
            request_serializer=job_pb2.GenerateRequest.SerializeToString,
            response_deserializer=job_pb2.JobEvent.FromString,
        )(message)
        done = False
        try:
            while (event := await _next_event(call, address, access)) is not None:
                done = isinstance(event, JobDone)
                yield event
        finally:
            call.cancel()
    if not done:
        raise CorruptPayload("The device's daemon ended the job without a result: start it again.")


async def cancel(address: str, session: str, *, access: Access = LOOPBACK) -> bool:
    """Cancels a job; False where the daemon runs no such job (any more)."""
    async with _channel(address, access) as channel:
        call = channel.unary_unary(
            methods.CANCEL,
            request_serializer=job_pb2.CancelRequest.SerializeToString,
            response_deserializer=job_pb2.CancelReply.FromString,
        )
        async with errors_of(address, access):
            return bool((await call(job_pb2.CancelRequest(session=session))).found)


async def list_jobs(address: str, *, access: Access = LOOPBACK) -> tuple[RunningJob, ...]:
    """The jobs that the device's daemon at `address` runs now."""
    async with _channel(address, access) as channel:
        call = channel.unary_unary(
            methods.LIST,
            request_serializer=job_pb2.ListRequest.SerializeToString,
            response_deserializer=job_pb2.ListReply.FromString,
        )
        async with errors_of(address, access):
            reply = await call(job_pb2.ListRequest())
    return tuple(RunningJob(job.session, job.step, job.total_steps, job.elapsed_s) for job in reply.jobs)


async def outlook(
    address: str, request: Request, options: JobOptions, *, steps: int, access: Access = LOOPBACK
) -> Survey:
    """What the device's daemon would plan the job by now; `steps` is how many the request's workload has.

    Raises CorruptPayload for an answer that cannot be, and DeadlineExceeded where none comes within half a minute.
    """
    async with _channel(address, access) as channel:
        call = channel.unary_unary(
            methods.OUTLOOK,
            request_serializer=job_pb2.GenerateRequest.SerializeToString,
            response_deserializer=outlook_pb2.OutlookReply.FromString,
        )
        async with errors_of(address, access):
            reply = await call(_request(request, options), timeout=_OUTLOOK_S)
    return survey_from_proto(reply, steps)


async def describe(peer: PeerAddress, *, access: Access = LOOPBACK) -> NodeDescription:
    """Asks any daemon who it is. Raises NodeUnavailable."""
    client = GrpcPeer(peer, access)
    try:
        return await client.describe()
    finally:
        await client.close()


def _request(request: Request, options: JobOptions) -> job_pb2.GenerateRequest:
    return job_pb2.GenerateRequest(
        request=request_to_proto(request),
        policy=options.policy,
        codec=options.codec,
        previews=options.previews,
        checkpoints=options.checkpoints,
        suffix=options.suffix,
        deadline_s=options.deadline_s,
        quality_db=options.quality_db,
        peers=[job_pb2.NodeAddress(name=peer.name, address=peer.address) for peer in options.peers],
        wishes=wishes_to_proto(options.wishes),
    )


async def _next_event(
    call: "grpc.aio.UnaryStreamCall[job_pb2.GenerateRequest, job_pb2.JobEvent]", address: str, access: Access
) -> JobEvent | None:
    """None at the end of a stream that ended well."""
    try:
        async with errors_of(address, access):
            message = await call.read()
            return event_from_proto(message) if isinstance(message, job_pb2.JobEvent) else None
    except Exception:
        if call.done() and await call.code() is grpc.StatusCode.CANCELLED:
            raise asyncio.CancelledError("the job was cancelled") from None
        raise


@asynccontextmanager
async def _channel(address: str, access: Access) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(address, access)
    try:
        yield channel
    finally:
        await channel.close(None)
