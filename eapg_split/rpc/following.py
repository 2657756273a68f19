"""The events of one job as its follower sees them: one stream, also where the device's daemon was away meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

import grpc

from eapg_split.errors import CorruptPayload, EapgError, NodeUnavailable
from eapg_split.rpc import methods
from eapg_split.rpc.access import Access
from eapg_split.rpc.client import errors_of
from eapg_split.rpc.convert_job import event_from_proto
from eapg_split.rpc.status import JOB_CANCELLED, SESSION_KEY
from eapg_split.rpc.v1 import job_pb2
from eapg_split.runtime.events import JobDone, JobEvent

_RETRY_S: Final = 0.2

if TYPE_CHECKING:
    _Call = (
        grpc.aio.UnaryStreamCall[job_pb2.GenerateRequest, job_pb2.JobEvent]
        | grpc.aio.UnaryStreamCall[job_pb2.AttachRequest, job_pb2.JobEvent]
    )


class Following:
    """One per job that is followed. `session` is known from the first answer on where it is not given."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        where: tuple[str, Access],
        *,
        leaving_cancels: bool,
        reattach_s: float,
        session: str = "",
    ) -> None:
        self._channel = channel
        self._where = where
        self._leaving_cancels = leaving_cancels
        self._reattach_s = reattach_s
        self._session = session
        self._seen = 0  # the number of the last event

    async def events(self, call: "_Call | None" = None) -> AsyncGenerator[JobEvent, None]:
        """What `call` tells, or a call of its own; the last event is JobDone. Close it when leaving early."""
        loop = asyncio.get_running_loop()
        lost: NodeUnavailable | None = None
        give_up_s = loop.time() + self._reattach_s
        current = call or self._attach()
        try:
            while True:
                try:
                    async for event in self._of(current):
                        lost = None
                        yield event
                        if isinstance(event, JobDone):
                            return
                    raise CorruptPayload(
                        "The device's daemon ended the job without a result: start it again."
                    )
                except NodeUnavailable as error:
                    if lost is None:
                        give_up_s = loop.time() + self._reattach_s
                    if not self._session or error.session_id or not self._reattach_s:
                        raise
                    lost = error
                    if loop.time() >= give_up_s:
                        raise self._given_up(error) from error
                await asyncio.sleep(_RETRY_S)
                current = self._attach()
        finally:
            current.cancel()

    def _attach(self) -> "_Call":
        first = self._seen + 1 if self._seen else 0
        return self._channel.unary_stream(
            methods.ATTACH,
            request_serializer=job_pb2.AttachRequest.SerializeToString,
            response_deserializer=job_pb2.JobEvent.FromString,
        )(job_pb2.AttachRequest(session=self._session, first=first, leaving_cancels=self._leaving_cancels))

    async def _of(self, call: "_Call") -> AsyncGenerator[JobEvent, None]:
        if not self._session:
            async with errors_of(*self._where):
                said = dict(await call.initial_metadata())
            self._session = str(said.get(SESSION_KEY, ""))
        while (message := await self._read(call)) is not None:
            self._seen = message.number or self._seen
            yield event_from_proto(message)

    async def _read(self, call: "_Call") -> job_pb2.JobEvent | None:
        """None at the end of a stream that ended well."""
        try:
            async with errors_of(*self._where):
                message = await call.read()
                return message if isinstance(message, job_pb2.JobEvent) else None
        except EapgError:
            if call.done() and await call.details() == JOB_CANCELLED:
                raise asyncio.CancelledError("the job was cancelled") from None
            raise

    def _given_up(self, error: NodeUnavailable) -> NodeUnavailable:
        return NodeUnavailable(
            f"The device was not heard for {self._reattach_s:g} s ({error.message.rstrip('.')}). The job goes on when"
            f" it is started again: eapg-split attach {self._session} --nodes FILE.",
            node_id=error.node_id,
        )
