"""A node that lies: a real daemon whose answers are changed on their way out, beginning with one phase.

    EAPG_FAULTS_LIE="download" EAPG_FAULTS_LIED=FILE python -m tests.faults.rogue edge --node edge ...

It lies each time that it comes to the phase, and touches the file when it does.
"""

import importlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import grpc

from eapg_split.rpc import daemon
from eapg_split.rpc.server import NodeService
from eapg_split.rpc.v1 import common_pb2, node_pb2
from eapg_split.rpc.wire import ReplyField, pack, unpack_all
from eapg_split.runtime.worker import Worker
from tests.faults.kinds import Phase

_Context = grpc.aio.ServicerContext


@dataclass
class Lies:
    """What is said instead of the truth, in one call."""

    phase: Phase
    told: Path
    _returning: bool = False

    def due(self, phase: Phase) -> bool:
        if phase is self.phase:
            self.told.touch()
        return phase is self.phase

    def replies(self, message: bytes) -> Iterable[bytes]:
        """What goes out in place of a message of a segment's stream."""
        field, body = next(unpack_all(message))
        match field:
            case ReplyField.ACKS if self.due(Phase.UPLOAD_HALF_WAY):
                acks = common_pb2.Acks(acks=[common_pb2.Ack(index=2**31)])
                yield pack(field, acks.SerializeToString())
            case ReplyField.STEP if self.due(Phase.BETWEEN_STEPS):
                step = common_pb2.StepDone.FromString(bytes(body))
                step.step, step.node, step.seconds = 2**31, "nobody", -1.0
                yield pack(field, step.SerializeToString())
            case ReplyField.STEP if self.due(Phase.INSIDE_A_STEP):
                yield message
                yield pack(ReplyField.CHUNK, b"bytes of no part")
            case ReplyField.RESULT if self.due(Phase.DOWNLOAD_HALF_WAY):
                result = node_pb2.RunResult.FromString(bytes(body))
                result.state.tensors[0].tensor.shape[0] += 1
                yield pack(field, result.SerializeToString())
            case ReplyField.PART if self._returning and self.due(Phase.BEFORE_COMMIT):
                yield message[:-1] + bytes([message[-1] ^ 1])
            case _:
                self._returning = self._returning or field == ReplyField.RESULT
                yield message


class _Lying:
    """A call's context that says something else than it is told to."""

    def __init__(self, context: "_Context[bytes, bytes]", lies: Lies) -> None:
        self._context = context
        self._lies = lies

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)

    async def write(self, message: bytes) -> None:
        for reply in self._lies.replies(message):
            await self._context.write(reply)


class RogueService(NodeService):
    """The servicer of a daemon that lies."""

    def __init__(self, worker: Worker, *rest: object, **named: object) -> None:
        super().__init__(worker, *rest, **named)  # whatever the daemon gives it
        lies = os.environ
        self._lies = Lies(Phase(lies["EAPG_FAULTS_LIE"]), Path(lies["EAPG_FAULTS_LIED"]))

    async def describe(
        self, request: node_pb2.DescribeRequest, context: "_Context[object, object]"
    ) -> node_pb2.NodeDescription:
        truth = await super().describe(request, context)
        if self._lies.due(Phase.DESCRIBE):
            truth.fingerprint, truth.tier = "0" * 64, "device"
        return truth

    async def prepare(
        self, request: node_pb2.PrepareRequest, context: "_Context[object, object]"
    ) -> node_pb2.PrepareReply:
        if self._lies.due(Phase.RESERVE):
            return node_pb2.PrepareReply(seconds=float("nan"))
        return await super().prepare(request, context)

    async def run(self, requests: object, context: "_Context[bytes, bytes]") -> None:
        if self._lies.phase is Phase.RESERVE:  # it said that it was ready
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "No.")
        await super().run(requests, cast("_Context[bytes, bytes]", _Lying(context, replace(self._lies))))


def main() -> int:
    """The daemon of a tier, with the liar in the place of its servicer."""
    setattr(daemon, "NodeService", RogueService)  # noqa: B010  # only here, in a process of its own
    tier, *flags = sys.argv[1:]
    return int(importlib.import_module(f"{tier}_node.app").main(flags))


if __name__ == "__main__":
    sys.exit(main())
