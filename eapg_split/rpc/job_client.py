"""What a person's program calls: one job as a stream of typed events, and small questions to daemons."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import grpc
from google.protobuf.message import Message

from eapg_split.domain.request import Request
from eapg_split.errors import CorruptPayload
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.policy import Objective
from eapg_split.rpc import methods
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.channels import open_channel
from eapg_split.rpc.client import GrpcPeer, errors_of
from eapg_split.rpc.convert import request_to_proto
from eapg_split.rpc.convert_job import summary_from_proto
from eapg_split.rpc.convert_outlook import survey_from_proto
from eapg_split.rpc.convert_wishes import wishes_to_proto
from eapg_split.rpc.following import Following
from eapg_split.rpc.v1 import job_pb2, outlook_pb2
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.jobs.ticket import JobSummary
from eapg_split.runtime.peer import NodeDescription
from eapg_split.runtime.settings import PeerAddress
from eapg_split.runtime.survey import Survey

_ANSWER_S: Final = 30.0  # of small questions: a disk may take its time, and nodes that do not answer 5 s

R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class JobOptions:
    """How to run a request. `suffix` is the ending of the wanted name (".mp4"), empty for a folder of PNG."""

    policy: str = "dp-adaptive"
    codec: str = "lossless"
    previews: bool = False
    observations: bool = False  # what the job sees of nodes and links, for a log
    checkpoints: Checkpoints = Checkpoints.AUTO  # that come home while other nodes compute
    suffix: str = ".mp4"
    deadline_s: float = 0.0  # 0 means none
    quality_db: float = 0.0  # PSNR against the lossless run where the codec is lossy; 0 means the default, 45
    wishes: Objective = field(default_factory=Objective)  # its privacy, codec and deadline stand elsewhere
    peers: tuple[PeerAddress, ...] = ()  # as the device reaches them; none: those it was started with


async def generate(
    address: str,
    request: Request,
    options: JobOptions,
    *,
    access: Access = LOOPBACK,
    reattach_s: float = 0.0,
) -> AsyncGenerator[JobEvent, None]:
    """Runs a job on the device's daemon at `address` and yields what happens; the last event is JobDone.

    Closing the iterator, or cancelling whoever reads it, cancels the job on every node. A daemon that goes away is
    waited for `reattach_s` seconds; the job goes on when it comes back, and so does this. Raises the EapgError that
    ended the job, and CorruptPayload when the stream ends without JobDone: then nothing of the output is valid.
    `asyncio.CancelledError` comes as well when somebody else cancelled the job.
    """
    async with _channel(address, access) as channel:
        call = channel.unary_stream(
            methods.GENERATE,
            request_serializer=job_pb2.GenerateRequest.SerializeToString,
            response_deserializer=job_pb2.JobEvent.FromString,
        )(message_of(request, options))
        following = Following(channel, (address, access), leaving_cancels=True, reattach_s=reattach_s)
        async with aclosing(following.events(call)) as events:
            async for event in events:
                yield event


async def attach(
    address: str, session: str, *, access: Access = LOOPBACK, reattach_s: float = 0.0
) -> AsyncGenerator[JobEvent, None]:
    """What happened in a job and what happens, like `generate`; closing the iterator leaves the job as it is.

    Raises SessionNotFound for a job that the device does not know (any more).
    """
    async with _channel(address, access) as channel:
        following = Following(
            channel, (address, access), leaving_cancels=False, reattach_s=reattach_s, session=session
        )
        async with aclosing(following.events()) as events:
            async for event in events:
                yield event


async def submit(address: str, request: Request, options: JobOptions, *, access: Access = LOOPBACK) -> str:
    """Hands a job over, and returns its id once the device has promised to run it, whatever becomes of the caller."""
    ticket = await _ask(address, access, methods.SUBMIT, message_of(request, options), job_pb2.Ticket)
    return ticket.session


async def cancel(address: str, session: str, *, access: Access = LOOPBACK) -> bool:
    """Cancels a job; False where the daemon has no such job, or it has ended."""
    message = job_pb2.CancelRequest(session=session)
    return (await _ask(address, access, methods.CANCEL, message, job_pb2.CancelReply)).found


async def forget(address: str, session: str, *, access: Access = LOOPBACK) -> None:
    """Removes a job that has ended, with its output. Raises SessionNotFound, and SessionConflict while it goes on."""
    message = job_pb2.ForgetRequest(session=session)
    await _ask(address, access, methods.FORGET, message, job_pb2.ForgetReply)


async def list_jobs(
    address: str, *, ended: bool = False, access: Access = LOOPBACK
) -> tuple[JobSummary, ...]:
    """The jobs that have not ended; with `ended` those too that have, as long as the device keeps them."""
    message = job_pb2.ListRequest(ended=ended)
    reply = await _ask(address, access, methods.LIST, message, job_pb2.ListReply)
    return tuple(summary_from_proto(job) for job in reply.jobs)


async def outlook(
    address: str, request: Request, options: JobOptions, *, steps: int, access: Access = LOOPBACK
) -> Survey:
    """What the device's daemon would plan the job by now; `steps` is how many the request's workload has.

    Raises CorruptPayload for an answer that cannot be, and DeadlineExceeded where none comes within half a minute.
    """
    message = message_of(request, options)
    reply = await _ask(address, access, methods.OUTLOOK, message, outlook_pb2.OutlookReply)
    return survey_from_proto(reply, steps)


async def describe(peer: PeerAddress, *, access: Access = LOOPBACK) -> NodeDescription:
    """Asks any daemon who it is. Raises NodeUnavailable."""
    client = GrpcPeer(peer, access)
    try:
        return await client.describe()
    finally:
        await client.close()


def message_of(request: Request, options: JobOptions) -> job_pb2.GenerateRequest:
    """What is sent for a request."""
    return job_pb2.GenerateRequest(
        request=request_to_proto(request),
        policy=options.policy,
        codec=options.codec,
        previews=options.previews,
        observations=options.observations,
        checkpoints=options.checkpoints,
        suffix=options.suffix,
        deadline_s=options.deadline_s,
        quality_db=options.quality_db,
        peers=[job_pb2.NodeAddress(name=peer.name, address=peer.address) for peer in options.peers],
        wishes=wishes_to_proto(options.wishes),
    )


async def _ask(address: str, access: Access, method: str, message: Message, reply: type[R]) -> R:
    """The answer to a small question, on a connection of its own."""
    async with _channel(address, access) as channel:
        call = channel.unary_unary(
            method,
            request_serializer=type(message).SerializeToString,
            response_deserializer=reply.FromString,
        )
        async with errors_of(address, access):
            answer = await call(message, timeout=_ANSWER_S)
    if not isinstance(answer, reply):  # what grpc.aio gives for one that cannot be parsed
        raise CorruptPayload(
            f"{address} sent an answer that makes no sense: install the same version on both sides."
        )
    return answer


@asynccontextmanager
async def _channel(address: str, access: Access) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(address, access)
    try:
        yield channel
    finally:
        await channel.close(None)
