"""Another node over gRPC, seen as a Peer."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError

from eapg_split.codecs.base import Part
from eapg_split.domain.telemetry import Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.errors import CorruptPayload, InvalidRequest, NodeUnavailable
from eapg_split.rpc import methods
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.channels import Channel, open_channel
from eapg_split.rpc.convert import description_from_proto, prepare_to_proto
from eapg_split.rpc.convert_telemetry import interval_to_proto, telemetry_from_proto
from eapg_split.rpc.handshakes import refusal
from eapg_split.rpc.probe import Probed, send_probe
from eapg_split.rpc.pulse import LOST_AFTER_S
from eapg_split.rpc.segment_call import SegmentCall
from eapg_split.rpc.status import from_rpc_error
from eapg_split.rpc.trace_context import trace_metadata
from eapg_split.rpc.v1 import node_pb2
from eapg_split.runtime.allocator import keep_freed_memory
from eapg_split.runtime.handoff import Outgoing
from eapg_split.runtime.peer import Emit, NodeDescription, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import Recall
from eapg_split.runtime.settings import PeerAddress

_log = logging.getLogger(__name__)
_PREPARE_S = 120.0
_READY_BYTES = 64 * 1024
_SILENCE_S = 5.0  # beyond the interval, then a node that tells of itself is thought to hang


@asynccontextmanager
async def errors_of(node: str, access: Access = LOOPBACK) -> AsyncIterator[None]:
    """Turns what grpc.aio raises inside the block into our errors.

    grpc.aio raises CancelledError as well when the other side ends a call with CANCELLED, which a daemon that stops
    does; only a cancellation that somebody asked of this task passes.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise refusal(error, node, access) or from_rpc_error(error, node) from error
    except grpc.aio.InternalError as error:  # a write or its end met a call that was over already
        raise NodeUnavailable(f"Node {node} ended a call in the middle of it.", node_id=node) from error
    except DecodeError as error:
        raise CorruptPayload(f"Node {node} sent a message that makes no sense.", node_id=node) from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise NodeUnavailable(f"Node {node} stopped in the middle of a call.", node_id=node) from None


class GrpcPeer:
    """One remote daemon; its channel is opened at the first call and serves all jobs."""

    def __init__(self, peer: PeerAddress, access: Access = LOOPBACK) -> None:
        self._peer = peer
        self._access = access
        self._address = ""
        keep_freed_memory()
        self._channel: Channel | None = None

    @property
    def name(self) -> str:
        """The name it was configured with."""
        return self._peer.name

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        """Asks the node who it is; also finds it again where its ready file has changed."""
        answer = await self._described(brief=brief)
        now_s = asyncio.get_running_loop().time()
        return description_from_proto(answer, address=self._address, at_s=now_s)

    async def identify(self) -> NodeId:
        """Asks the node for its id, and it asks nobody."""
        return NodeId((await self._described(brief=True)).node)

    async def _described(self, *, brief: bool) -> node_pb2.NodeDescription:
        channel = await self._connect()
        open_call = channel.unary_stream(  # of one answer: only a stream tells of the metadata before it
            methods.DESCRIBE,
            request_serializer=node_pb2.DescribeRequest.SerializeToString,
            response_deserializer=node_pb2.NodeDescription.FromString,
        )
        call = open_call(node_pb2.DescribeRequest(brief=brief))
        try:
            async with errors_of(self.name, self._access):
                await self._awake(call)
                answer = await call.read()
        finally:
            call.cancel()
        if not isinstance(
            answer, node_pb2.NodeDescription
        ):  # what grpc.aio gives for one that cannot be parsed
            raise CorruptPayload(f"Node {self.name} sent a message that makes no sense.", node_id=self.name)
        return answer

    async def _awake(self, call: "grpc.aio.UnaryStreamCall[object, object]") -> None:
        """Returns when the node has begun to answer. Raises NodeUnavailable where it does not in three heartbeats."""
        try:
            async with asyncio.timeout(LOST_AFTER_S):
                await call.initial_metadata()
        except TimeoutError:
            raise NodeUnavailable(
                f"Node {self.name} does not answer: nothing was heard of it for {LOST_AFTER_S:g} s.",
                node_id=self.name,
            ) from None

    async def prepare(self, order: SegmentOrder) -> None:
        """Lets the node load the weights of a segment."""
        channel = await self._connect()
        call = channel.unary_unary(
            methods.PREPARE,
            request_serializer=node_pb2.PrepareRequest.SerializeToString,
            response_deserializer=node_pb2.PrepareReply.FromString,
        )
        async with errors_of(self.name, self._access):
            await call(prepare_to_proto(order), timeout=order.deadline.capped(_PREPARE_S))

    async def run(
        self, order: SegmentOrder, state: Outgoing, emit: Emit, *, recall: Recall | None = None
    ) -> SegmentDone:
        """Hands a segment over and waits for its result; ends the call whatever happens."""
        channel = await self._connect()
        async with errors_of(self.name, self._access):
            call = channel.stream_stream(methods.RUN, None, None)(None, metadata=trace_metadata())
            try:
                segment = SegmentCall(call, order, state, emit=emit, recall=recall, node=self.name)
                return await segment.result()
            finally:
                call.cancel()

    async def probe(self, parts: Sequence[Part]) -> Probed:
        """Sends parts to the node and back through the code that carries states. Raises CapacityExceeded."""
        channel = await self._connect()
        async with errors_of(self.name, self._access):
            call = channel.stream_stream(methods.PROBE, None, None)(None)
            try:
                return await send_probe(call, parts)
            finally:
                call.cancel()

    async def telemetry(self, interval_s: float = 1.0) -> AsyncGenerator[Telemetry, None]:
        """The node's looks at itself, taken at most twice as often as they were asked for."""
        loop = asyncio.get_running_loop()
        request = interval_to_proto(interval_s)
        channel = await self._connect()
        open_call = channel.unary_stream(
            methods.TELEMETRY,
            request_serializer=node_pb2.TelemetryRequest.SerializeToString,
            response_deserializer=node_pb2.NodeTelemetry.FromString,
        )
        call = open_call(request)
        due_s = 0.0
        try:
            while True:
                message = await self._look(call, interval_s + _SILENCE_S)
                await asyncio.sleep(due_s - loop.time())
                due_s = loop.time() + interval_s / 2
                yield telemetry_from_proto(message, at_s=loop.time())
        finally:
            call.cancel()

    async def _look(
        self, call: "grpc.aio.UnaryStreamCall[object, node_pb2.NodeTelemetry]", silence_s: float
    ) -> node_pb2.NodeTelemetry:
        """The next look. Raises NodeUnavailable where the node stops, or says nothing for so long."""
        try:
            async with errors_of(self.name, self._access), asyncio.timeout(silence_s):
                message = await call.read()
        except TimeoutError:
            raise NodeUnavailable(
                f"Node {self.name} has not told how it is for {silence_s:g} s: check that it is not stuck.",
                node_id=self.name,
            ) from None
        if not isinstance(message, node_pb2.NodeTelemetry):
            raise NodeUnavailable(f"Node {self.name} stops.", node_id=self.name)
        return message

    async def close(self) -> None:
        """Closes the channel."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    async def _connect(self) -> grpc.aio.Channel:
        address = self._peer.address
        if address.startswith("@"):
            address = await asyncio.to_thread(_address_in, Path(address[1:]), self.name)
        if self._channel is None or address != self._address:
            await self.close()
            self._channel = open_channel(address, self._access)
            self._address = address
        elif self._channel.outdated():
            self._renew(self._channel)
        return self._channel

    def _renew(self, former: Channel) -> None:
        """A new channel for what comes, by renewed files; those that do not fit together yet are left alone."""
        try:
            self._channel = open_channel(self._address, self._access)
        except InvalidRequest as error:
            _log.warning("what is shown to %s has changed and cannot be used: %s", self.name, error)
        else:
            former.retire()


def _address_in(ready_file: Path, name: str) -> str:
    try:
        with ready_file.open("rb") as file:
            return str(json.loads(file.read(_READY_BYTES))["address"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NodeUnavailable(
            f"Node {name} has not written {ready_file}: start it first.", node_id=name
        ) from error
