"""What a device's daemon has beside every node's service: its jobs, and the folder in which they outlive it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from google.protobuf.message import DecodeError

from eapg_split.errors import CorruptPayload
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert_job import event_from_proto, event_to_proto
from eapg_split.rpc.job_requests import JobRequests
from eapg_split.rpc.job_service import JobService
from eapg_split.rpc.v1 import job_pb2
from eapg_split.runtime.events import JobEvent
from eapg_split.runtime.jobs.home import JobHome, default_folder
from eapg_split.runtime.jobs.life import Jobs
from eapg_split.runtime.jobs.run import Means
from eapg_split.runtime.policy_state import PolicyStates
from eapg_split.runtime.policy_state import default_folder as default_policy_folder
from eapg_split.runtime.settings import DaemonSettings, PeerAddress
from eapg_split.runtime.sink import OpenSink
from eapg_split.runtime.worker import Worker


@asynccontextmanager
async def open_jobs(
    settings: DaemonSettings,
    worker: Worker,
    peers: Sequence[GrpcPeer],
    open_sink: OpenSink,
    open_peer: Callable[[PeerAddress], GrpcPeer],
) -> AsyncIterator[tuple[Jobs, JobService]]:
    """Goes on with the jobs of an earlier daemon. What has not ended with the block is kept for the next one.

    Raises InvalidRequest where the folder cannot be used.
    """
    requests = JobRequests(
        worker,
        peers,
        open_peer=open_peer,
        policy_states=PolicyStates(default_policy_folder(settings.node)),
    )
    home = await asyncio.to_thread(JobHome, settings.state or default_folder(settings.node))
    jobs = Jobs(home, Means(requests.opened, open_sink, _encoded, _decoded), settings.limits)
    try:
        await jobs.start()
        yield jobs, JobService(requests, jobs, policy_code=settings.policy_code)
    finally:
        await jobs.stop(0)


def _encoded(event: JobEvent) -> bytes:
    return event_to_proto(event).SerializeToString()


def _decoded(data: bytes) -> JobEvent:
    """Raises CorruptPayload."""
    try:
        message = job_pb2.JobEvent.FromString(data)
    except DecodeError as error:
        raise CorruptPayload("The journal has an event that makes no sense.") from error
    return event_from_proto(message)
