"""JobService on the device's daemon: takes requests for jobs, and tells what becomes of them."""

import asyncio
from contextlib import aclosing

import grpc

from eapg_split.errors import CapacityExceeded
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.rpc.authorisation import check_policy
from eapg_split.rpc.callers import caller_of
from eapg_split.rpc.convert_job import event_to_proto, summary_to_proto
from eapg_split.rpc.convert_outlook import survey_to_proto
from eapg_split.rpc.job_requests import JobRequests
from eapg_split.rpc.methods import JOB_SERVICE
from eapg_split.rpc.status import SESSION_KEY, CancelledByRequestError
from eapg_split.rpc.v1 import job_pb2, outlook_pb2
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.jobs.life import JobCancelled, Jobs
from eapg_split.runtime.settings import PolicyCode
from eapg_split.runtime.survey import survey

_Context = grpc.aio.ServicerContext


class JobService:
    """The servicer of the device's daemon."""

    def __init__(
        self, requests: JobRequests, jobs: Jobs, *, policy_code: PolicyCode = PolicyCode.LOCAL
    ) -> None:
        """`policy_code` says from whom a policy is taken that is code."""
        self._requests = requests
        self._policy_code = policy_code
        self._jobs = jobs
        self._surveys = 0

    def handler(self) -> "grpc.GenericRpcHandler[object, object]":
        """All methods."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        messages = job_pb2
        return grpc.method_handlers_generic_handler(
            JOB_SERVICE,
            {
                "Generate": stream(
                    self.generate,
                    messages.GenerateRequest.FromString,
                    messages.JobEvent.SerializeToString,
                ),
                "Submit": unary(
                    self.submit, messages.GenerateRequest.FromString, messages.Ticket.SerializeToString
                ),
                "Attach": stream(
                    self.attach, messages.AttachRequest.FromString, messages.JobEvent.SerializeToString
                ),
                "Cancel": unary(
                    self.cancel, messages.CancelRequest.FromString, messages.CancelReply.SerializeToString
                ),
                "Forget": unary(
                    self.forget, messages.ForgetRequest.FromString, messages.ForgetReply.SerializeToString
                ),
                "Outlook": unary(
                    self.outlook,
                    messages.GenerateRequest.FromString,
                    outlook_pb2.OutlookReply.SerializeToString,
                ),
                "List": unary(
                    self.list_jobs, messages.ListRequest.FromString, messages.ListReply.SerializeToString
                ),
            },
        )

    async def generate(
        self, request: job_pb2.GenerateRequest, context: "_Context[object, job_pb2.JobEvent]"
    ) -> None:
        """Accepts a job and tells what happens in it; a caller that goes away cancels it."""
        check_policy(request.policy, self._policy_code, context)
        accepting = asyncio.create_task(self._accept(request, caller_of(context)))
        try:
            session = await asyncio.shield(accepting)
        except asyncio.CancelledError:
            accepting.add_done_callback(self._left_early)
            raise
        try:
            await context.send_initial_metadata(((SESSION_KEY, session),))
            await self._tell(session, 0, context)
        except asyncio.CancelledError:
            self._left(session)
            raise

    async def submit(
        self, request: job_pb2.GenerateRequest, context: "_Context[object, object]"
    ) -> job_pb2.Ticket:
        """Accepts a job."""
        check_policy(request.policy, self._policy_code, context)
        accepted = asyncio.shield(asyncio.create_task(self._accept(request, caller_of(context))))
        return job_pb2.Ticket(session=await accepted)

    async def attach(
        self, request: job_pb2.AttachRequest, context: "_Context[object, job_pb2.JobEvent]"
    ) -> None:
        """Tells what happened in a job and what happens."""
        try:
            await self._tell(request.session, request.first, context)
        except asyncio.CancelledError:
            if request.leaving_cancels:
                self._left(request.session)
            raise

    async def cancel(
        self, request: job_pb2.CancelRequest, context: "_Context[object, object]"
    ) -> job_pb2.CancelReply:
        """Cancels a job; whoever is attached to it is told so."""
        del context
        return job_pb2.CancelReply(found=await self._jobs.cancel(request.session))

    async def forget(
        self, request: job_pb2.ForgetRequest, context: "_Context[object, object]"
    ) -> job_pb2.ForgetReply:
        """Removes a job that has ended."""
        del context
        await self._jobs.forget(request.session)
        return job_pb2.ForgetReply()

    async def list_jobs(
        self, request: job_pb2.ListRequest, context: "_Context[object, object]"
    ) -> job_pb2.ListReply:
        """The jobs that have not ended, and those that have where they are asked for."""
        del context
        summaries = await self._jobs.summaries()
        return job_pb2.ListReply(
            jobs=[summary_to_proto(each) for each in summaries if request.ended or each.ended_s is None]
        )

    async def outlook(
        self, request: job_pb2.GenerateRequest, context: "_Context[object, object]"
    ) -> outlook_pb2.OutlookReply:
        """What a job would be planned by now. Whoever asks plans by itself: the policy's code is not run here."""
        del context
        worker = self._requests.worker
        if self._surveys >= worker.setup.limits.sessions:
            raise CapacityExceeded("The device looks at its nodes for others already: ask again in a second.")
        self._surveys += 1
        try:
            async with self._requests.peers_for(request) as peers:
                job = self._requests.job("", request, DpStaticPolicy())
                return survey_to_proto(await survey(job, Cluster(worker, peers)))
        finally:
            self._surveys -= 1

    async def _accept(self, request: job_pb2.GenerateRequest, caller: str) -> str:
        terms = await self._requests.terms(request, caller)
        return (await self._jobs.accept(request.SerializeToString(), terms)).session

    async def _tell(self, session: str, first: int, context: "_Context[object, job_pb2.JobEvent]") -> None:
        try:
            async with aclosing(self._jobs.follow(session, first)) as events:
                async for told in events:
                    message = event_to_proto(told.event)
                    message.number = told.number
                    await context.write(message)
        except JobCancelled:
            raise CancelledByRequestError from None

    def _left_early(self, accepting: "asyncio.Task[str]") -> None:
        if not accepting.cancelled() and accepting.exception() is None:
            self._left(accepting.result())

    def _left(self, session: str) -> None:
        """Whoever the job was for has gone, unless it is this daemon that goes."""
        if not self._jobs.stopping:
            self._jobs.cancel_soon(session)
