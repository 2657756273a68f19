"""JobService on the device's daemon: accepts jobs, runs each by a coordinator, and lists and cancels them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from eapg_split.domain.error_budget import DEFAULT_QUALITY_DB, MAX_QUALITY_DB, MIN_QUALITY_DB
from eapg_split.errors import CapacityExceeded, InvalidRequest
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.planner.policy import Policy
from eapg_split.rpc.authorisation import check_policy
from eapg_split.rpc.client import GrpcPeer
from eapg_split.rpc.convert import checkpoints_from_proto, request_from_proto
from eapg_split.rpc.convert_job import event_to_proto
from eapg_split.rpc.convert_outlook import survey_to_proto
from eapg_split.rpc.convert_wishes import wishes_from_proto
from eapg_split.rpc.methods import JOB_SERVICE
from eapg_split.rpc.security import split_address
from eapg_split.rpc.status import CancelledByRequestError
from eapg_split.rpc.v1 import job_pb2, outlook_pb2
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.coordinator import Coordinator
from eapg_split.runtime.deadline import Deadline
from eapg_split.runtime.events import JobEvent, PlanMade, StepDone
from eapg_split.runtime.job import Job
from eapg_split.runtime.output import open_output
from eapg_split.runtime.peer import Peer
from eapg_split.runtime.policy_host import open_policy
from eapg_split.runtime.policy_state import PolicyStates
from eapg_split.runtime.settings import PeerAddress, PolicyCode
from eapg_split.runtime.sink import OpenSink
from eapg_split.runtime.survey import survey
from eapg_split.runtime.worker import Worker

_MAX_SUFFIX = 8
_MAX_PEERS = 16
_Context = grpc.aio.ServicerContext


@dataclass
class _Running:
    task: "asyncio.Task[object]"
    began_s: float
    cancel_asked: bool = False
    step: int = 0
    total_steps: int = 0

    def note(self, event: JobEvent) -> None:
        if isinstance(event, PlanMade):
            self.total_steps = event.total_steps
        elif isinstance(event, StepDone):
            self.step = event.step + 1


class JobService:
    """The servicer of the device's daemon. `new_session` makes ids that nobody can guess."""

    def __init__(
        self,
        worker: Worker,
        peers: Sequence[Peer],
        open_sink: OpenSink,
        *,
        open_peer: Callable[[PeerAddress], GrpcPeer] | None = None,
        new_session: Callable[[], str] = lambda: uuid.uuid4().hex,
        policy_states: PolicyStates | None = None,
        policy_code: PolicyCode = PolicyCode.LOCAL,
    ) -> None:
        self._worker = worker
        self._peers = tuple(peers)
        self._open_sink = open_sink
        self._open_peer = open_peer
        self._new_session = new_session
        self._policy_states = policy_states
        self._policy_code = policy_code
        self._jobs: dict[str, _Running] = {}
        self._surveys = 0

    def handler(self) -> "grpc.GenericRpcHandler[object, object]":
        """All methods."""
        return grpc.method_handlers_generic_handler(
            JOB_SERVICE,
            {
                "Generate": grpc.unary_stream_rpc_method_handler(
                    self.generate,
                    request_deserializer=job_pb2.GenerateRequest.FromString,
                    response_serializer=job_pb2.JobEvent.SerializeToString,
                ),
                "Cancel": grpc.unary_unary_rpc_method_handler(
                    self.cancel,
                    request_deserializer=job_pb2.CancelRequest.FromString,
                    response_serializer=job_pb2.CancelReply.SerializeToString,
                ),
                "Outlook": grpc.unary_unary_rpc_method_handler(
                    self.outlook,
                    request_deserializer=job_pb2.GenerateRequest.FromString,
                    response_serializer=outlook_pb2.OutlookReply.SerializeToString,
                ),
                "List": grpc.unary_unary_rpc_method_handler(
                    self.list_jobs,
                    request_deserializer=job_pb2.ListRequest.FromString,
                    response_serializer=job_pb2.ListReply.SerializeToString,
                ),
            },
        )

    async def generate(
        self, request: job_pb2.GenerateRequest, context: "_Context[object, job_pb2.JobEvent]"
    ) -> None:
        """Runs one job; this task is the job, so a client that goes away cancels it."""
        check_policy(request.policy, self._policy_code, context)
        job = self._accepted(request, await open_policy(request.policy))
        task = asyncio.current_task()
        assert task is not None
        running = self._jobs[job.session] = _Running(task, asyncio.get_running_loop().time())

        async def emit(event: JobEvent) -> None:
            running.note(event)
            await context.write(event_to_proto(event))

        try:
            async with (
                self._peers_for(request) as peers,
                open_output(self._open_sink, job.video) as output,
            ):
                await Coordinator(job, Cluster(self._worker, peers), output, emit=emit).run()
        except asyncio.CancelledError:
            if not running.cancel_asked:
                raise
            task.uncancel()
            raise CancelledByRequestError from None
        finally:
            del self._jobs[job.session]

    async def cancel(
        self, request: job_pb2.CancelRequest, context: "_Context[object, object]"
    ) -> job_pb2.CancelReply:
        """Cancels a job; its Generate ends with CANCELLED."""
        del context
        running = self._jobs.get(request.session)
        if running is not None and not running.cancel_asked:
            running.cancel_asked = True
            running.task.cancel()
        return job_pb2.CancelReply(found=running is not None)

    async def list_jobs(
        self, request: job_pb2.ListRequest, context: "_Context[object, object]"
    ) -> job_pb2.ListReply:
        """The jobs that run now."""
        del request, context
        now = asyncio.get_running_loop().time()
        return job_pb2.ListReply(
            jobs=[
                job_pb2.JobSummary(
                    session=session,
                    step=running.step,
                    total_steps=running.total_steps,
                    elapsed_s=now - running.began_s,
                )
                for session, running in self._jobs.items()
            ]
        )

    async def outlook(
        self, request: job_pb2.GenerateRequest, context: "_Context[object, object]"
    ) -> outlook_pb2.OutlookReply:
        """What a job would be planned by now. Whoever asks plans by itself: the policy's code is not run here."""
        del context
        if self._surveys >= self._worker.setup.limits.sessions:
            raise CapacityExceeded("The device looks at its nodes for others already: ask again in a second.")
        self._surveys += 1
        try:
            async with self._peers_for(request) as peers:
                job = self._job(request, DpStaticPolicy())
                return survey_to_proto(await survey(job, Cluster(self._worker, peers)))
        finally:
            self._surveys -= 1

    @asynccontextmanager
    async def _peers_for(self, message: job_pb2.GenerateRequest) -> AsyncIterator[Sequence[Peer]]:
        """The peers that the job names, for as long as it runs, or else those of the daemon."""
        if not message.peers:
            yield self._peers
            return
        if self._open_peer is None or len(message.peers) > _MAX_PEERS:
            raise InvalidRequest(
                f"A job may name at most {_MAX_PEERS} other nodes, where the device allows it."
            )
        for peer in message.peers:
            split_address(peer.address)  # nothing else: the device's files are none of the caller's business
        peers = [
            self._open_peer(PeerAddress(peer.name or peer.address, peer.address)) for peer in message.peers
        ]
        try:
            yield peers
        finally:
            for each in peers:
                await each.close()

    def _accepted(self, message: job_pb2.GenerateRequest, policy: Policy) -> Job:
        setup = self._worker.setup
        if len(self._jobs) >= setup.limits.sessions:
            raise CapacityExceeded(
                f"The device already runs {len(self._jobs)} jobs, its limit: wait for one to end, or raise"
                " limits.sessions."
            )
        return self._job(message, policy)

    def _job(self, message: job_pb2.GenerateRequest, policy: Policy) -> Job:
        """Raises InvalidRequest for what cannot be asked for."""
        setup = self._worker.setup
        if message.codec not in setup.codecs:
            raise InvalidRequest(
                f"There is no codec {message.codec[:32]!r}: choose one of {', '.join(setup.codecs)}."
            )
        if len(message.suffix) > _MAX_SUFFIX:
            raise InvalidRequest("The ending of the output's name is too long: choose for example .mp4.")
        if not 0 <= message.deadline_s < float("inf"):
            raise InvalidRequest("The deadline must be a number of seconds, or 0 for none.")
        quality_db = message.quality_db or DEFAULT_QUALITY_DB
        if not MIN_QUALITY_DB <= quality_db <= MAX_QUALITY_DB:
            raise InvalidRequest(
                f"The quality is {MIN_QUALITY_DB:g} to {MAX_QUALITY_DB:g} dB: 45 cannot be told from the original."
            )
        return Job(
            session=self._new_session(),
            request=request_from_proto(message.request),
            policy=policy,
            policy_states=self._policy_states,
            codec=message.codec,
            suffix=message.suffix,
            previews=message.previews,
            checkpoints=checkpoints_from_proto(message.checkpoints or Checkpoints.AUTO),
            quality_db=quality_db,
            deadline=Deadline.after(message.deadline_s),
            wishes=wishes_from_proto(message.wishes),
        )
